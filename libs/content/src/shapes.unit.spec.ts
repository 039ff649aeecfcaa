import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { identify, isIdentified, parseContentKey, platformOf, products, type Product } from './index.js';

type Row = { url: string; expected: string; canonicalUrl: string; confirmed: boolean };

function rows(file: string): Row[] {
  const [header = '', ...lines] = readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8').trimEnd().split('\n');
  const columns = header.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    const cell = (name: string) => cells[columns.indexOf(name)] ?? '';
    return { url: cell('url'), expected: cell('content_key_or_refusal'), canonicalUrl: cell('canonical_url'), confirmed: cell('confirmed') !== 'no' };
  });
}

const sha256 = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex');

function check({ url, expected, canonicalUrl }: Row): void {
  const answer = identify(url);
  expect(answer.submittedUrl).toBe(url);
  if (expected.startsWith('content.')) {
    expect(answer).toEqual({ submittedUrl: url, refused: { code: expected, detail: expect.stringMatching(/^[A-Z]/) } });
    return;
  }
  if (!isIdentified(answer)) throw new Error(`${url} was refused: ${answer.refused.code}`);
  expect(answer.contentKey).toBe(expected.endsWith(':*') ? expected.slice(0, -1) + sha256(answer.canonicalUrl) : expected);
  if (canonicalUrl !== '*') expect(answer.canonicalUrl).toBe(canonicalUrl);
  const { product, kind } = parseContentKey(answer.contentKey) ?? {};
  expect({ product, kind, platform: answer.platform, provisional: answer.provisional }).toEqual({
    product: answer.product,
    kind: answer.kind,
    platform: platformOf(answer.product),
    provisional: answer.kind === 'short',
  });
  // What the record keeps as canonical must lead to the same content when it is submitted itself. A search result's
  // canonical form is the page it lists, which alone is nobody's content.
  if (answer.kind !== 'result') {
    expect(identify(answer.canonicalUrl)).toMatchObject({ contentKey: answer.contentKey, canonicalUrl: answer.canonicalUrl });
  }
}

describe('the address of a content', () => {
  it.each(rows('content-urls.tsv').map((row) => [row.url, row.expected, row] as const))('%s is %s', (_url, _expected, row) => check(row));
});

const shapes = rows('shapes.tsv');

describe.each(['confirmed', 'unconfirmed'] as const)('a shape that is %s in a public source', (standing) => {
  const chosen = shapes.filter((row) => row.confirmed === (standing === 'confirmed'));
  it.each(chosen.map((row) => [row.url, row.expected, row] as const))(`(${standing}) %s is %s`, (_url, _expected, row) => check(row));
});

describe('the table of shapes', () => {
  it('shows every kind of every product', () => {
    const shown = new Set(shapes.concat(rows('content-urls.tsv')).map((row) => row.expected.split(':', 2).join(':')));
    const all = (Object.keys(products) as Product[]).flatMap((product) => products[product].kinds.map((kind) => `${product}:${kind}`));
    expect(all.filter((kind) => !shown.has(kind))).toEqual([]);
  });

  it('names no address twice', () => {
    const urls = shapes.map((row) => row.url);
    expect(urls.filter((url, index) => urls.indexOf(url) !== index)).toEqual([]);
  });
});
