import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { read, tool, withPlanted } from './repository.js';

interface Linted {
  readonly filePath: string;
  readonly messages: readonly { readonly ruleId: string | null; readonly message: string }[];
}

/** File → the rule it must break; null where it must break none. */
const planted: readonly (readonly [path: string, rule: string | null, text: string])[] = [
  ['services/sla/src/clock/clock.ts', 'no-restricted-syntax', 'export const at = () => new Date();'],
  ['services/sla/src/policy/policy.ts', 'no-restricted-properties', 'export const at = () => Date.now();'],
  ['libs/content/src/key.ts', 'no-restricted-properties', 'export const chance = () => Math.random();'],
  ['libs/deadlines/src/due.ts', 'no-restricted-globals', 'export const zone = () => process.env["TZ"];'],
  ['libs/transparency-log/src/tree.ts', 'no-restricted-imports', "export { readFileSync } from 'node:fs';"],
  ['libs/event-sourcing/src/event.ts', 'no-restricted-imports', "export { randomUUID } from 'node:crypto';"],
  ['libs/content/src/parsed.ts', null, "import { createHash } from 'node:crypto';\nexport const parsed = new Date('2024-11-27');\nexport const hash = createHash;"],
  ['services/sla/src/clock/watch.ts', null, 'export const at = () => [new Date(), Date.now(), Math.random(), process.pid];'],
  ['libs/bus/src/only.unit.spec.ts', 'no-restricted-syntax', "import { it } from '@jest/globals';\nit.only('runs alone', () => undefined);"],
  ['libs/bus/src/each.unit.spec.ts', 'no-restricted-syntax', "import { describe } from '@jest/globals';\ndescribe.only.each([1])('runs alone', () => undefined);"],
  ['libs/bus/src/skip.unit.spec.ts', 'no-restricted-syntax', "import { it } from '@jest/globals';\nit.skip('does not run', () => undefined);"],
  ['libs/bus/src/kafka.int.spec.ts', null, "import { describe } from '@jest/globals';\nconst onKafka = process.pid > 0 ? describe : describe.skip;\nonKafka('kafka', () => undefined);"],
  ['services/sla/src/clock/forgotten.ts', '@typescript-eslint/no-floating-promises', 'export function start() {\n  Promise.reject(new Error("lost"));\n}'],
  ['services/sla/src/clock/loud.ts', 'no-console', 'console.log("hello");'],
  ['services/sla/src/clock/parts.ts', null, 'export class Dto { url!: string }\nexport class Ports { name!: string }\nexport interface Answer { id: string }'],
  [
    'services/sla/src/clock/erased-body.ts',
    'sejam/value-import-of-decorated-classes',
    `import { Body, Controller, Post } from '@nestjs/common';\nimport type { Dto } from './parts.js';\n@Controller()\nexport class C {\n  @Post()\n  take(@Body() body: Dto) {\n    return body;\n  }\n}`,
  ],
  [
    'services/sla/src/clock/erased-injection.ts',
    'sejam/value-import-of-decorated-classes',
    `import { Controller } from '@nestjs/common';\nimport { type Ports } from './parts.js';\n@Controller()\nexport class C {\n  constructor(readonly ports: Ports) {}\n}`,
  ],
  [
    'services/sla/src/clock/kept.ts',
    null,
    `import { Body, Controller, Inject, Post } from '@nestjs/common';\nimport { Dto, type Answer, type Ports } from './parts.js';\n@Controller()\nexport class C {\n  constructor(@Inject('answer') readonly answer: Answer) {}\n  @Post()\n  take(@Body() body: Dto): Answer {\n    return { id: body.url };\n  }\n  plain(ports: Ports) {\n    return ports.name;\n  }\n}`,
  ],
];

describe('the lint rules', () => {
  it('notice each planted fault, and nothing in code that has none', async () => {
    const tree = {
      ...Object.fromEntries(planted.map(([path, , text]) => [path, `${text}\n`])),
      'eslint.config.mjs': read('eslint.config.mjs'),
      'package.json': '{ "type": "module" }',
      'tsconfig.spec.json': JSON.stringify({ compilerOptions: { module: 'nodenext', moduleResolution: 'nodenext', target: 'es2023', strict: true, experimentalDecorators: true, emitDecoratorMetadata: true, types: ['node'], skipLibCheck: true, noEmit: true }, include: ['libs', 'services'] }),
    };
    const linted = await withPlanted(tree, async (folder) => {
      mkdirSync(join(folder, 'tools'));
      writeFileSync(join(folder, 'tools/eslint-rules.mjs'), read('tools/eslint-rules.mjs'));
      const output = await tool(folder, 'eslint/bin/eslint.js', ['--format', 'json', 'libs', 'services']);
      return (JSON.parse(output) as Linted[]).map(({ filePath, messages }) => [filePath.slice(folder.length + 1), messages.map(({ ruleId, message }) => ruleId ?? message)] as const);
    });
    const found = Object.fromEntries(linted);
    const expected = Object.fromEntries(planted.map(([path, rule]) => [path, rule === null ? [] : [rule]]));
    expect(found).toEqual(expected);
  }, 120_000);
});
