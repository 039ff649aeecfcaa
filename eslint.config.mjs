import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import sejam from './tools/eslint-rules.mjs';

const root = import.meta.dirname;

const folders = (path) => (existsSync(join(root, path)) ? readdirSync(join(root, path), { withFileTypes: true }) : []).filter((entry) => entry.isDirectory());

/** `services/<name>/src/<noun>/<noun>.ts`: a glob cannot say that two parts are the same word. The services left out own no streams. */
const owners = folders('services').filter(({ name }) => !['audit', 'gateway', 'sandbox'].includes(name));
const nouns = owners.flatMap(({ name }) =>
  folders(`services/${name}/src`).map(({ name: noun }) => `services/${name}/src/${noun}/${noun}.ts`),
);
const pureLibs = ['content', 'event-sourcing', 'deadlines', 'transparency-log'].map((name) => `libs/${name}/src/**/*.ts`);

/** `transact` waits between two tries, the domain clock turns wall time into domain time, and the store in memory is a part for tests. */
const impureOnPurpose = ['transact', 'domain-clock', 'record', 'memory-event-store'].map((name) => `libs/event-sourcing/src/${name}.ts`);

const tests = ['**/*.spec.ts', '**/*.contract.ts', '**/*.example.ts', 'tests/**/*.ts'];

const runnerSyntax = [
  { selector: "MemberExpression[object.name=/^(it|test|describe)$/][property.name='only']", message: 'A test that runs alone hides all others.' },
  { selector: "CallExpression[callee.object.name=/^(it|test|describe)$/][callee.property.name=/^(skip|todo)$/]", message: 'A test that does not run proves nothing: mend or delete it.' },
  { selector: 'CallExpression[callee.name=/^(fit|fdescribe|xit|xtest|xdescribe)$/]', message: 'Every test runs, none runs alone.' },
];

const pureSyntax = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'This file never asks the clock: take the time as an argument.' },
  { selector: "CallExpression[callee.name='Date']", message: 'This file never asks the clock: take the time as an argument.' },
];

export default tseslint.config(
  { ignores: ['**/dist/', '**/node_modules/', '.nx/', '.cache/', '.sejam*/', 'coverage/', '**/generated/', '**/*.d.ts', 'tests/**/fixtures/'] },
  js.configs.recommended,
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['AbortController', 'AbortSignal', 'Buffer', 'SharedArrayBuffer', 'TextDecoder', 'TextEncoder', 'URL', 'URLSearchParams', 'WebSocket', 'clearInterval', 'clearTimeout', 'console', 'fetch', 'performance', 'process', 'queueMicrotask', 'setImmediate', 'setInterval', 'setTimeout', 'structuredClone'].map((name) => [name, 'readonly']),
      ),
    },
    rules: { 'no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }], 'preserve-caught-error': 'off' },
  },
  // Scripts in pages run in browsers.
  {
    files: ['services/*/public/**/*.{js,mjs}', 'services/*/src/**/*.{js,mjs}'],
    languageOptions: { globals: Object.fromEntries(['document', 'window', 'location', 'history', 'localStorage', 'EventSource', 'Intl', 'navigator', 'customElements', 'HTMLElement', 'requestAnimationFrame', 'crypto'].map((name) => [name, 'readonly'])) },
  },
  { files: ['**/*.cjs'], languageOptions: { sourceType: 'commonjs', globals: { __dirname: 'readonly', module: 'writable', require: 'readonly' } } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.spec.json', tsconfigRootDir: root } },
    plugins: { sejam },
    rules: {
      'sejam/value-import-of-decorated-classes': 'error',
      'no-restricted-syntax': ['error', ...runnerSyntax],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none', ignoreRestSiblings: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true, allowNever: true }],
      // Ports promise a promise; an adapter that has nothing to wait for keeps the promise all the same.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false, properties: false } }],
      // Ports here are plain objects and closures.
      '@typescript-eslint/unbound-method': 'off',
      'no-console': ['error', { allow: ['error', 'warn'] }],
      eqeqeq: 'error',
      // Its automatic fixes widen and narrow types that were chosen.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      // A sentence for the operator replaces the error it was made from.
      'preserve-caught-error': 'off',
      // An error that was caught as unknown is thrown again as it is.
      '@typescript-eslint/only-throw-error': 'off',
    },
  },
  {
    files: tests,
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // What a test reads from the wire has no type.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
    },
  },
  // Benchmarks and command-line programs speak to a terminal.
  { files: ['deploy/local/src/**/*.ts', 'libs/*/bench/**/*.ts', 'libs/*/conformance/**/*.ts', '**/*-cli.ts', '**/cli.ts', 'services/*/src/cli/**/*.ts', 'libs/*/src/bin/**/*.ts', 'tests/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: [...nouns, ...pureLibs],
    ignores: [...tests, ...impureOnPurpose],
    rules: {
      'no-restricted-syntax': ['error', ...runnerSyntax, ...pureSyntax],
      'no-restricted-globals': ['error', ...['process', 'fetch', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'console', 'crypto'].map((name) => ({ name, message: 'This file is pure: it computes from its arguments.' }))],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'This file never asks the clock: take the time as an argument.' },
        { object: 'Math', property: 'random', message: 'This file is pure: take chance as an argument.' },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: [{ name: 'node:crypto', importNames: ['randomBytes', 'randomInt', 'randomUUID', 'webcrypto'], message: 'This file is pure: take chance as an argument.' }],
          patterns: [{ regex: '^(node:)?(fs|net|http|https|http2|dns|child_process|worker_threads|os|process|timers|tls|dgram|readline|cluster)(/|$)', message: 'This file is pure: IO belongs into the shell.' }],
        },
      ],
    },
  },
);
