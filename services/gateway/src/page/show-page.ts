import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pageFile, readPageFiles, sendPageFile, type PageFile } from './page-files.js';

/** What only this installation knows. */
export interface PageFacts {
  /** Where the first start has put the keys; undefined where they are no file on the reader's machine. */
  readonly credentialsHint: string | undefined;
  readonly sandboxUrl: string | undefined;
}

/** Nest's injection token of `PageFacts`. */
export const PAGE = Symbol('Page');

const folder = fileURLToPath(new URL('../../public/', import.meta.url));

/** The first page: what runs, and where to go on. In Indonesian and English, from one file that holds both. */
@ApiExcludeController()
@Controller()
export class ShowPage {
  readonly #page: PageFile;
  readonly #files = readPageFiles(folder, ['page.css', 'page.js', 'icon.svg']);

  constructor(@Inject(PAGE) { credentialsHint, sandboxUrl }: PageFacts) {
    const html = readFileSync(`${folder}page.html`, 'utf8')
      .replace('{{credentials}}', escapeHtml(credentialsHint ?? ''))
      .replace('{{sandbox}}', escapeHtml(sandboxUrl ?? ''));
    this.#page = pageFile('text/html; charset=utf-8', html);
  }

  @Get('/')
  page(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendPageFile(this.#page, request, reply);
  }

  @Get('/page/:file')
  file(@Param('file') name: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendPageFile(this.#files.get(name), request, reply);
  }
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
