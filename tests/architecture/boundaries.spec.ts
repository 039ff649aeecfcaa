import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { read, root, tool, withPlanted } from './repository.js';

interface Cruise {
  readonly summary: { readonly totalCruised: number; readonly violations: readonly { readonly rule: { readonly name: string }; readonly from: string }[] };
}

async function cruise(folder: string): Promise<Cruise['summary']> {
  const output = await tool(folder, 'dependency-cruiser/bin/dependency-cruiser.mjs', ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'libs', 'services']);
  return (JSON.parse(output) as Cruise).summary;
}

const config = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs')) as { readonly forbidden: readonly { readonly name: string }[] };

/** Each file breaks exactly the rule it stands under. */
const planted: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'no-cycles': { 'services/intake/src/report/list-reports.ts': `import { a } from './submit-report.js';\nexport const b = () => a;` },
  'services-do-not-import-services': { 'services/sla/src/clock/watch.ts': `export { a } from '../../../intake/src/report/submit-report.js';` },
  'libs-do-not-import-services': { 'libs/bus/src/inbox.ts': `export { a } from '../../../services/intake/src/report/submit-report.js';` },
  'packages-by-their-index': { 'services/sla/src/clock/decide.ts': `export { inner } from '../../../../libs/bus/src/inner.js';` },
  'pure-code-does-no-io': { 'services/sla/src/clock/clock.ts': `export { readFileSync } from 'node:fs';` },
  'pure-code-uses-pure-packages': { 'libs/content/src/products.ts': `export { request } from 'undici';` },
  'nouns-import-only-pure-code': { 'services/sla/src/policy/policy.ts': `export { slice } from './set-policy.js';` },
  'pure-libs-import-only-pure-libs': { 'libs/deadlines/src/due.ts': `export { inner } from '../../bus/src/index.js';` },
  'embedded-eventstore-stands-alone': { 'libs/embedded-eventstore/src/server.ts': `export { inner } from '../../bus/src/index.js';` },
  'nest-stays-at-the-edge': { 'libs/webhooks/src/sender.ts': `export { Injectable } from '@nestjs/common';` },
  'kafka-behind-the-bus': { 'services/sla/src/clock/consume.ts': `export { Kafka } from 'kafkajs';` },
  'no-test-code-in-production': { 'services/sla/src/clock/verdict.ts': `export { jest } from '@jest/globals';` },
  'no-unresolvable': { 'services/sla/src/clock/lost.ts': `export { x } from './not-there.js';` },
};

/** What the planted files lean on, and code like ours that breaks no rule. */
const innocent: Readonly<Record<string, string>> = {
  'services/intake/src/report/submit-report.ts': `import { b } from './list-reports.js';\nexport const a = () => b;`,
  'services/sla/src/policy/set-policy.ts': `import { request } from 'undici';\nexport const slice = request;`,
  'libs/bus/src/inner.ts': `export { Kafka as inner } from 'kafkajs';`,
  'libs/bus/src/index.ts': `export { inner } from './inner.js';`,
  'libs/content/src/key.ts': `import { createHash } from 'node:crypto';\nexport const key = createHash;`,
  'services/intake/src/report/report.ts': `export { key } from '../../../../libs/content/src/index.js';\nexport { other } from '../issue/issue.js';`,
  'services/intake/src/issue/issue.ts': `export const other = 1;`,
  'libs/content/src/index.ts': `export { key } from './key.js';`,
  'services/sla/src/clock/clock.unit.spec.ts': `export { readFileSync } from 'node:fs';\nexport { jest } from '@jest/globals';`,
};

describe('the boundaries between folders', () => {
  it('hold in this repository, and were really looked at', async () => {
    const { totalCruised, violations } = await cruise(root);
    expect(violations).toEqual([]);
    expect(totalCruised).toBeGreaterThan(100);
  }, 60_000);

  it('are noticed when broken, each by the rule that names it', async () => {
    const tree = {
      '.dependency-cruiser.cjs': read('.dependency-cruiser.cjs'),
      'tsconfig.spec.json': JSON.stringify({ compilerOptions: { module: 'nodenext', moduleResolution: 'nodenext', target: 'es2023' } }),
      'package.json': '{ "type": "module" }',
      ...innocent,
      ...Object.assign({}, ...Object.values(planted)),
    } as Record<string, string>;
    const { violations } = await withPlanted(tree, cruise);
    const found = violations.map(({ rule, from }) => [rule.name, from]);
    const expected = Object.entries(planted).flatMap(([rule, files]) => Object.keys(files).map((file) => [rule, file]));
    for (const pair of expected) expect(found).toContainEqual(pair);
    const guilty = new Set(expected.map(([, file]) => file));
    expect(found.filter(([, from]) => !guilty.has(from ?? ''))).toEqual([]);
  }, 60_000);

  it('have a planted violation for every rule', () => {
    expect(Object.keys(planted).sort()).toEqual(config.forbidden.map(({ name }) => name).sort());
  });
});
