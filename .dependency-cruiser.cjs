'use strict';
// The folders are the architecture. Each rule is tested by a planted violation in tests/architecture/boundaries.spec.ts.

const testCode = '(\\.spec|\\.contract|\\.example)\\.ts$|^tests/|^libs/[^/]+/(bench|conformance)/';
/** Audit, gateway and sandbox own no streams, so none of their files is a noun that decides. */
const pureNoun = '^services/(?!audit/|gateway/|sandbox/)[^/]+/src/([^/]+)/\\1\\.ts$';
/** `transact` waits between two tries: the only thing in the pure libraries that does. */
const pureLib = '^libs/(content|event-sourcing|deadlines|transparency-log)/src/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', comment: 'Two files that need each other are one file.', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    {
      name: 'services-do-not-import-services',
      severity: 'error',
      comment: 'Services meet over the bus, and nowhere else.',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    { name: 'libs-do-not-import-services', severity: 'error', from: { path: '^libs/' }, to: { path: '^(services|deploy)/' } },
    {
      name: 'packages-by-their-index',
      severity: 'error',
      comment: 'Another package is reached by its name, never by a path into its folder.',
      from: { path: '^(libs|services|deploy)/([^/]+)/' },
      to: { path: '^(libs|services|deploy)/([^/]+)/', pathNot: ['^$1/$2/', '^libs/[^/]+/(src|dist)/(index|testing)\\.(ts|js|d\\.ts)$', '\\.contract\\.ts$'] },
    },
    {
      name: 'pure-code-does-no-io',
      severity: 'error',
      comment: 'Nouns and pure libraries import nothing that reads, writes, waits or speaks.',
      from: { path: [pureNoun, pureLib], pathNot: testCode },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer|url|util|assert|assert/strict|querystring|punycode)$' },
    },
    {
      name: 'pure-code-uses-pure-packages',
      severity: 'error',
      from: { path: [pureNoun, pureLib], pathNot: testCode },
      to: { path: 'node_modules/', pathNot: 'node_modules/(uuid|canonicalize|tldts|punycode|@bufbuild/protobuf|fast-check|@jest/globals|@noble/[^/]+)/' },
    },
    {
      name: 'nouns-import-only-pure-code',
      severity: 'error',
      comment: 'A noun may use another noun of its service and the pure libraries; of others it may name types, which leave no trace.',
      from: { path: pureNoun },
      to: { path: '^(services|libs|deploy)/', pathNot: [pureNoun, pureLib], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'pure-libs-import-only-pure-libs',
      severity: 'error',
      from: { path: pureLib, pathNot: testCode },
      to: { path: '^(services|libs|deploy)/', pathNot: pureLib },
    },
    {
      name: 'embedded-eventstore-stands-alone',
      severity: 'error',
      comment: 'It could be published on its own.',
      from: { path: '^libs/embedded-eventstore/', pathNot: testCode },
      to: { path: '^(libs|services|deploy)/', pathNot: '^libs/embedded-eventstore/' },
    },
    {
      name: 'nest-stays-at-the-edge',
      severity: 'error',
      comment: 'Only the host and the transport strategy of the bus know the framework.',
      from: { path: '^libs/', pathNot: ['^libs/(service-host|bus)/', testCode] },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'kafka-behind-the-bus',
      severity: 'error',
      comment: 'kafkajs is one adapter of the bus and can be exchanged there.',
      from: { path: '^(libs|services|deploy)/', pathNot: ['^libs/bus/', testCode] },
      to: { path: 'node_modules/kafkajs/' },
    },
    {
      name: 'no-test-code-in-production',
      severity: 'error',
      from: { path: '^(libs|services|deploy)/', pathNot: [testCode, '^libs/testkit/', '/testing\\.ts$'] },
      to: { path: ['^libs/testkit/', '(\\.spec|\\.contract|\\.example)\\.ts$', '/testing\\.(ts|js|d\\.ts)$', 'node_modules/(@jest|fast-check|testcontainers|playwright-core)/'] },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['/dist/', '/generated/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.spec.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['source', 'import', 'types', 'node', 'default'], mainFields: ['module', 'main', 'types'] },
  },
};
