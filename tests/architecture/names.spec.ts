import { beforeAll, describe, expect, it } from '@jest/globals';
import { files, isNoun, isProduction, read } from './repository.js';

/** Names that say what pattern a file follows and not what it is about, and folders that anything can be thrown into. */
function bannedNames(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    if (!/^(libs|services|deploy)\//.test(path) || /\/generated\//.test(path)) return false;
    const parts = path.split('/');
    const file = parts.at(-1) ?? '';
    return (
      /\.(service|controller|handler|dto|util|utils|helper|types|interface|entity|repository|constants)\.ts$/.test(file) ||
      parts.slice(2, -1).some((folder) => ['shared', 'common', 'core', 'utils', 'util', 'helpers', 'misc'].includes(folder)) ||
      (/\.ts$/.test(file) && !/^[a-z0-9]+(-[a-z0-9]+)*(\.(unit|int|contract|example|spec|module|d))*\.ts$/.test(file))
    );
  });
}

/** Work that was left undone, and who it was left to. Spelt in pieces so that this file does not find itself. */
const undone = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);

function undoneIn(sources: readonly { path: string; text: string }[]): string[] {
  return sources.flatMap(({ path, text }) => text.split('\n').flatMap((line, index) => (undone.test(line) ? [`${path}:${index + 1}`] : [])));
}

let paths: string[] = [];
beforeAll(async () => {
  paths = await files();
});

describe('the names of files', () => {
  it('say what a file is about, in kebab case', () => {
    expect(paths.length).toBeGreaterThan(100);
    expect(bannedNames(paths)).toEqual([]);
  });

  it('are found wanting when they name a pattern or a heap', () => {
    const bad = ['services/intake/src/report/report.service.ts', 'services/intake/src/report/submit-report.dto.ts', 'libs/bus/src/utils/time.ts', 'services/sla/src/shared/x.ts', 'libs/bus/src/inboxStore.ts'];
    const good = ['services/intake/src/report/submit-report.ts', 'libs/bus/src/kafka/kafka-bus.int.spec.ts', 'services/sla/src/sla.module.ts', 'libs/bus/src/bus.contract.ts', 'docs/shared/x.md'];
    expect(bannedNames([...bad, ...good])).toEqual(bad);
  });

  it('are those of folders whose README says what they own', () => {
    const packages = [...new Set(paths.filter((path) => /^(libs|services)\/[^/]+\/package\.json$/.test(path)).map((path) => path.replace('/package.json', '')))];
    expect(packages.length).toBeGreaterThan(15);
    const grown = packages.filter((folder) => paths.filter((path) => path.startsWith(`${folder}/src/`)).length > 1);
    expect(grown.filter((folder) => !paths.includes(`${folder}/README.md`))).toEqual([]);
  });

  it('lead to one index per library, and to no other barrel', () => {
    const barrels = paths.filter((path) => isProduction(path) && /\/index\.ts$/.test(path));
    expect(barrels.filter((path) => !/^libs\/[^/]+\/src\/index\.ts$/.test(path))).toEqual([]);
  });
});

describe('the source', () => {
  it('leaves nothing for later', () => {
    const sources = paths.filter((path) => /\.(ts|mjs|cjs|sql|proto|sh|md|ya?ml)$/.test(path) && !/\/generated\/|package-lock/.test(path)).map((path) => ({ path, text: read(path) }));
    expect(undoneIn(sources)).toEqual([]);
  });

  it('is found wanting when it does', () => {
    expect(undoneIn([{ path: 'a.ts', text: `const a = 1;\n// ${'TO' + 'DO'}: the rest\n` }, { path: 'b.ts', text: 'const todo = []; // all done' }])).toEqual(['a.ts:2']);
  });

  it('decides in pure nouns about states it knows, never by default', () => {
    const nouns = paths.filter((path) => isNoun(path));
    expect(nouns.length).toBeGreaterThan(4);
    const evolves = nouns.map((path) => ({ path, text: /evolve[\s\S]*?\n\}/.exec(read(path))?.[0] ?? '' }));
    expect(evolves.filter(({ text }) => /^\s*default:/m.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
