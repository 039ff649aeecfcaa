import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestRefused } from './problem.js';

export const bodyLimitBytes = 1024 * 1024;
export const batchBodyLimitBytes = 8 * 1024 * 1024;
/** Deeper than any of our documents; recursion in validators and serializers stays shallow. */
const maxDepth = 32;

/** A request whose body came as bytes keeps them: a signature is over the bytes, not over what they parse to. */
export type RequestWithRawBody = FastifyRequest & { rawBody?: Buffer };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * Makes JSON the only accepted media type, read strictly, and gives batch addresses their larger limit. At `signedPaths` the bytes are left
 * as they came: what they say is nobody's business before their signature holds.
 */
export function acceptJsonOnly(instance: FastifyInstance, batchPaths: readonly string[], signedPaths: readonly string[]): void {
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser(
    /^application\/(?:[\w.-]+\+)?json(?:;|$)/i,
    { parseAs: 'buffer', bodyLimit: bodyLimitBytes },
    (request: RequestWithRawBody, body: Buffer, done) => {
      request.rawBody = body;
      if (signedPaths.includes(request.routeOptions.url ?? '')) return done(null, undefined);
      try {
        done(null, parseJsonBody(body));
      } catch (error) {
        done(error as Error);
      }
    },
  );
  instance.addHook('onRoute', (route) => {
    if (batchPaths.includes(route.url)) route.bodyLimit = batchBodyLimitBytes;
  });
}

/** Bytes to value. Refuses what a permissive reader would let through; no bytes are no body. Linear in the number of bytes. */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new RequestRefused(400, 'request.not-utf8', 'The body is not valid UTF-8');
  }
  refuseDeepNesting(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RequestRefused(400, 'request.malformed-json', `The body is not valid JSON${positionOf(error)}`);
  }
  // Nearly no body has one of these names, so the tree is walked only when the text could hold one (\u escapes included).
  if (/__proto__|constructor|prototype|\\u/.test(text)) refusePrototypeKeys(value, '');
  return value;
}

/** Counted on the text, before anything recursive sees it. Brackets inside strings do not count. */
function refuseDeepNesting(text: string): void {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === 0x5c) index++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth) throw new RequestRefused(400, 'request.too-deep', `The body is nested deeper than ${maxDepth} levels`);
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
}

function refusePrototypeKeys(value: unknown, pointer: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    const here = `${pointer}/${escapePointer(name)}`;
    if (name === '__proto__' || name === 'constructor' || name === 'prototype') {
      const detail = `A field may not be named ${name}`;
      throw new RequestRefused(400, 'request.forbidden-key', detail, { errors: [{ pointer: here, code: 'forbidden-key', detail }] });
    }
    refusePrototypeKeys(inner, here);
  }
}

/** RFC 6901, section 3. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The parser's own message quotes the body, which may hold personal data; only the place is passed on. */
function positionOf(error: unknown): string {
  const found = /at position (\d+)/.exec(error instanceof Error ? error.message : '');
  return found === null ? '' : ` (at character ${found[1]})`;
}
