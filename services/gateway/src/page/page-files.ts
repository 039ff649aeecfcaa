import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { RequestRefused } from '@sejam/service-host';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly bytes: Buffer;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};

/** Only these names, read once: nothing that a request says becomes a path. */
export function readPageFiles(folder: string, names: readonly string[]): ReadonlyMap<string, PageFile> {
  return new Map(names.map((name) => [name, pageFile(types[extname(name)] ?? 'application/octet-stream', readFileSync(join(folder, name)))]));
}

export function pageFile(type: string, content: Buffer | string): PageFile {
  const bytes = Buffer.from(content);
  return { type, bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` };
}

/** Nothing from elsewhere, nothing inline, in nobody's frame. `styles` admits the API page's inline styles. */
function securityHeaders({ inlineStyles = false }: { inlineStyles?: boolean }): Record<string, string> {
  return {
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'${inlineStyles ? " 'unsafe-inline'" : ''}; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  };
}

/** Answers with the file, or with 304 where the caller has it. Undefined: there is no such file, 404. */
export function sendPageFile(file: PageFile | undefined, request: FastifyRequest, reply: FastifyReply, options: { inlineStyles?: boolean } = {}): void {
  if (file === undefined) throw new RequestRefused(404, 'request.unknown-route', 'There is nothing at this address');
  void reply.headers({ ...securityHeaders(options), etag: file.etag, 'cache-control': 'no-cache' });
  if (request.headers['if-none-match'] === file.etag) void reply.status(304).send();
  else void reply.type(file.type).send(file.bytes);
}
