import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readPageFiles, sendPageFile } from '../page/page-files.js';
import { ownerOf, services } from '../upstream/path-table.js';
import { askJson, UPSTREAMS, type Upstreams } from '../upstream/upstreams.js';
import { asyncApi } from './async-api.js';
import { gatewayOpenApi } from './gateway-openapi.js';
import { mergeOpenApi, type OpenApi } from './merge-openapi.js';

const swaggerUi = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const ours = fileURLToPath(new URL('../../public/', import.meta.url));

/** What machines and programmers read: the API as one document, the topics and webhooks as another, and a page that shows the first. */
@ApiExcludeController()
@Controller()
export class ShowDocuments {
  /** The last part that each service gave: while it restarts, the document stays whole. */
  readonly #parts = new Map<string, OpenApi>();
  readonly #files = new Map([
    ...readPageFiles(swaggerUi, ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']),
    ...readPageFiles(ours, ['docs.html', 'docs.js']),
  ]);

  constructor(@Inject(UPSTREAMS) private readonly upstreams: Upstreams) {}

  @Get('/openapi.json')
  async openApi(): Promise<OpenApi> {
    await Promise.all(
      services.map(async (service) => {
        const base = this.upstreams[service];
        if (base === undefined) return;
        const answer = await askJson(base, '/internal/openapi.json').catch(() => undefined);
        if (answer?.status === 200) this.#parts.set(service, answer.body as OpenApi);
      }),
    );
    const inOrder = services.flatMap((service) => (this.#parts.has(service) ? [[service, this.#parts.get(service) as OpenApi] as const] : []));
    // Whose a parked message is says its id; every service describes these addresses alike.
    return mergeOpenApi(gatewayOpenApi, Object.fromEntries(inOrder), (service, path) => ownerOf(path) === service || path.startsWith('/v1/parked/{id}/'));
  }

  @Get('/asyncapi.json')
  asyncApi(): unknown {
    return asyncApi;
  }

  @Get('/docs')
  docs(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendPageFile(this.#files.get('docs.html'), request, reply, { inlineStyles: true });
  }

  @Get('/docs/:file')
  file(@Param('file') name: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendPageFile(this.#files.get(name), request, reply, { inlineStyles: true });
  }
}
