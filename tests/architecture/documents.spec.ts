import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { files, isNoun, isProduction, read, root } from './repository.js';
import { isCode, literalsOf } from './source-literals.js';

/** First cells of table rows that stand in backticks, by the heading above them. */
function tables(markdown: string): { heading: string; names: string[] }[] {
  const sections: { heading: string; names: string[] }[] = [{ heading: '', names: [] }];
  for (const line of markdown.split('\n')) {
    if (/^#+ /.test(line)) sections.push({ heading: line, names: [] });
    const cell = /^\|\s*`([^`]+)`\s*\|/.exec(line)?.[1];
    if (cell !== undefined) sections.at(-1)?.names.push(cell);
  }
  return sections;
}

/** Faults between the documented codes and the source, both ways. */
function codeFaults(documented: readonly string[], sources: readonly { path: string; text: string }[]): string[] {
  const literals = sources.map(({ path, text }) => ({ path, ...literalsOf(path, text) }));
  const known = new Set(documented);
  const faults = literals.flatMap(({ path, codes }) => [...codes].filter((code) => !known.has(code)).map((code) => `${code} (${path}) is not documented`));
  for (const code of known) {
    if (!literals.some(({ all }) => all.has(code))) faults.push(`${code} is documented, but no source speaks it`);
    if (!isCode(code)) faults.push(`${code} is not shaped like a code`);
  }
  for (const code of documented.filter((one, index) => documented.indexOf(one) !== index)) faults.push(`${code} is documented twice`);
  return faults;
}

/** Faults between the events of one stream as documented and the event union of the file that its heading names. */
function eventFaults(heading: string, documented: readonly string[], source: string): string[] {
  const { eventTypes } = literalsOf(heading, source);
  return [
    ...eventTypes.filter((type) => !documented.includes(type)).map((type) => `${type} is not documented under ${heading}`),
    ...documented.filter((type) => !eventTypes.includes(type)).map((type) => `${type} is documented under ${heading}, but is no event of its union`),
  ];
}

let sources: { path: string; text: string }[] = [];
beforeAll(async () => {
  sources = (await files()).filter(isProduction).map((path) => ({ path, text: read(path) }));
});

describe('docs/errors.md', () => {
  const documented = (): string[] => tables(read('docs/errors.md')).flatMap(({ names }) => names);

  it('names every problem code that the source speaks, and no other', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(documented().length).toBeGreaterThan(20);
    expect(codeFaults(documented(), sources)).toEqual([]);
  });

  it('is found wanting when a code is missing, too many, or misspelt', () => {
    const source = { path: 'a.ts', text: "throw new DomainError(own ? 'report.four-eyes' : 'report.absent', 'forbidden', 'No');" };
    expect(codeFaults(['report.four-eyes', 'report.absent'], [source])).toEqual([]);
    expect(codeFaults(['report.four-eyes'], [source])).toEqual(['report.absent (a.ts) is not documented']);
    expect(codeFaults(['report.four-eyes', 'report.absent', 'report.gone'], [source])).toEqual(['report.gone is documented, but no source speaks it']);
  });
});

describe('docs/events.md', () => {
  it('names every event of every stream, and no other', () => {
    const streams = tables(read('docs/events.md')).flatMap(({ heading, names }) => {
      const path = /`((?:services|libs)\/[^`]+\.ts)`/.exec(heading)?.[1];
      return path === undefined ? [] : [{ heading, path, names }];
    });
    expect(streams.length).toBeGreaterThanOrEqual(6);
    expect(streams.flatMap(({ heading, path, names }) => eventFaults(heading, names, read(path)))).toEqual([]);

    const documentedFiles = new Set(streams.map(({ path }) => path));
    const nouns = sources.filter(({ path }) => isNoun(path));
    const undocumented = nouns.filter(({ path, text }) => !documentedFiles.has(path) && literalsOf(path, text).eventTypes.length > 0);
    expect(undocumented.map(({ path }) => path)).toEqual([]);
  });

  it('is found wanting when an event is missing or too many', () => {
    const union = "export type ClockEvent = { type: 'ClockStarted'; data: {} } | { type: 'DueMoved'; data: {} };";
    expect(eventFaults('clock', ['ClockStarted', 'DueMoved'], union)).toEqual([]);
    expect(eventFaults('clock', ['ClockStarted'], union)).toEqual(['DueMoved is not documented under clock']);
    expect(eventFaults('clock', ['ClockStarted', 'DueMoved', 'ClockEaten'], union)).toEqual(['ClockEaten is documented under clock, but is no event of its union']);
  });
});

describe('answers.json', () => {
  it('of every service says what its controllers return', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'tools/describe-answers.mjs'), '--check'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }, 120_000);
});
