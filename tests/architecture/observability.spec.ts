import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { files, isProduction, read, root } from './repository.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

const folder = 'deploy/observability';
const rules = (parse(read(`${folder}/alerts.yml`)) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules: own }) => own);
const panels = (JSON.parse(read(`${folder}/dashboard.json`)) as { panels: { id: number; title: string; targets: { expr: string; legendFormat: string }[] }[] }).panels;
const expressions = [...rules.map(({ expr }) => expr), ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))];

/** Of others: Prometheus itself, node_exporter, and what prom-client counts of any process. */
const ofOthers = /^(up|node_filesystem_\w+|process_\w+|nodejs_\w+)$/;
const ofEveryScrape = ['job', 'instance', 'service', 'le', 'fstype', 'mountpoint'];

/** Every figure that the code registers, with its labels. */
const registered = new Map(
  (await files())
    .filter(isProduction)
    .flatMap((file) => [...read(file).matchAll(/new (Counter|Gauge|Histogram)\(\{\s*name: '(sejam_\w+)'([\s\S]*?)\}\)/g)])
    .flatMap(([, kind, name = '', rest = '']) => {
      const labels = [...(/labelNames: \[([^\]]*)\]/.exec(rest)?.[1] ?? '').matchAll(/'(\w+)'/g)].map(([, label = '']) => label);
      return (kind === 'Histogram' ? ['_bucket', '_count', '_sum'] : ['']).map((ending) => [`${name}${ending}`, labels] as const);
    }),
);

/** Names of figures, and the labels that are matched or grouped by. */
function used(expression: string): { figures: string[]; labels: string[] } {
  const bare = expression.replaceAll(/"[^"]*"/g, '""');
  const labels = [...bare.matchAll(/\b(?:by|without|on)\s*\(([^)]*)\)|\{([^}]*)\}/g)].flatMap(([, grouped, matched]) => [...(grouped ?? matched ?? '').matchAll(/[a-z_]+/g)].map(([label]) => label));
  const figures = [...bare.replaceAll(/\b(?:by|without|on)\s*\([^)]*\)|\{[^}]*\}|\[[^\]]*\]/g, '').matchAll(/[a-z_][a-z0-9_]*(?!\s*\(|[a-z0-9_])/g)].map(([name]) => name).filter((name) => !['or', 'and', 'unless', 'by'].includes(name));
  return { figures, labels };
}

describe('alarms and dashboard', () => {
  it('name only figures and labels that services register', () => {
    expect(registered.size).toBeGreaterThan(12);
    for (const expression of expressions) {
      const { figures, labels } = used(expression);
      expect(figures.length).toBeGreaterThan(0);
      const known = [...ofEveryScrape, ...figures.flatMap((figure) => registered.get(figure) ?? [])];
      expect({ expression, unknown: figures.filter((figure) => !registered.has(figure) && !ofOthers.test(figure)), labels: labels.filter((label) => !known.includes(label)) }).toEqual({ expression, unknown: [], labels: [] });
    }
  });

  it('would be told of a figure or label that is not there', () => {
    expect(used('sum by (platform) (rate(sejam_made_up{colour="red"}[5m])) > 0')).toEqual({ figures: ['sejam_made_up'], labels: ['platform', 'colour'] });
  });

  it('leave no figure of ours unseen', () => {
    const seen = new Set(expressions.flatMap((expression) => used(expression).figures));
    expect([...registered.keys()].filter((figure) => !seen.has(figure) && !/_(sum|count)$/.test(figure))).toEqual([]);
  });

  it('say what has happened and what to do, under names and numbers of their own', () => {
    for (const { annotations, labels } of rules) expect({ ...annotations, ...labels }).toEqual({ summary: expect.stringMatching(/\S/), description: expect.stringMatching(/\S/), severity: expect.stringMatching(/^(page|ticket)$/) });
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  it('scrape every service of the compose file', () => {
    const { services } = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, { environment?: { SERVICE?: string } }> };
    const { scrape_configs: [job] } = parse(read(`${folder}/prometheus.yml`)) as { scrape_configs: [{ static_configs: { targets: string[] }[] }] };
    expect(job.static_configs.flatMap(({ targets }) => targets).sort()).toEqual(Object.entries(services).filter(([name, { environment }]) => environment?.SERVICE === name && name !== 'bootstrap').map(([name]) => `${name}:9090`).sort());
  });
});

const promtool = [process.env['PROMTOOL'], ...(process.env['PATH'] ?? '').split(delimiter).map((path) => join(path, 'promtool'))].find((path) => path !== undefined && existsSync(path));
if (promtool === undefined) process.stderr.write('Skipped on promtool: there is none on the path, nor named by PROMTOOL\n');

(promtool === undefined ? it.skip : it)('promtool finds no fault in alarms and scrape configuration', () => {
  expect(spawnSync(promtool ?? '', ['check', 'config', join(root, folder, 'prometheus.yml')], { encoding: 'utf8' })).toMatchObject({ status: 0 });
});
