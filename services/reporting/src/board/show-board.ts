import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

/** The page, its style and its script in one document, so that nothing else has to be fetched and the policy can name each by its hash. */
const page = readFileSync(new URL('../../public/board.html', import.meta.url), 'utf8');

const hashesOf = (element: 'script' | 'style'): string =>
  [...page.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, 'g'))].map(([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ');

const policy = [
  "default-src 'none'", `script-src ${hashesOf('script')}`, `style-src ${hashesOf('style')}`, "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
].join('; ');

/** The live board for a browser. The page holds no data: it asks for a key, and then for `/v1/board/stream`. */
@ApiExcludeController()
@Controller('board')
export class ShowBoard {
  @Get()
  async show(@Res() reply: FastifyReply): Promise<void> {
    await reply
      .headers({
        'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin', 'cache-control': 'no-cache',
      })
      .send(page);
  }
}
