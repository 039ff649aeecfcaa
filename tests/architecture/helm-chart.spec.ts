import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { files, isProduction, read, root } from './repository.js';

type Yaml = ReturnType<typeof JSON.parse>;

const chart = join(root, 'deploy/helm');
const values = parse(read('deploy/helm/values.yaml')) as Yaml;
const schema = JSON.parse(read('deploy/helm/values.schema.json')) as object;
const services = readdirSync(join(root, 'services')).filter((name) => name !== 'sandbox').sort();

const helm = [process.env['HELM'], ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'helm'))].find((path) => path !== undefined && existsSync(path));

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(helm ?? '', [...args, '--kube-version', '1.32.0'], { encoding: 'utf8' });
}

function rendered(...settings: string[]): Yaml[] {
  const { status, stdout, stderr } = run('template', 'sejam', chart, ...settings.flatMap((one) => ['--set', one]));
  if (status !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Yaml).filter((object) => object !== null);
}

describe('the values of the Helm chart', () => {
  it('are what their schema allows, and name every service but the sandbox', () => {
    const ajv = new Ajv({ strict: false });
    expect(ajv.validate(schema, values) || ajv.errors).toBe(true);
    expect(Object.keys(values.services).sort()).toEqual(services);
    for (const wrong of [{ ...values, databaseUrl: 'mysql://x' }, { ...values, surprise: 1 }, { ...values, services: { ...values.services, intake: { replicas: 0, resources: {} } } }]) expect(ajv.validate(schema, wrong)).toBe(false);
  });

  it('hold no secret: passwords come from files', () => {
    for (const address of [values.eventstoreUrl, values.databaseUrl]) expect(address).toMatch(/:\/\/\w+:\{file:[^}]+\}@/);
  });
});

if (helm === undefined) process.stderr.write('Skipped on Helm: there is no helm on the path, nor named by HELM\n');

(helm === undefined ? describe.skip : describe)('the Helm chart', () => {
  const of = (objects: readonly Yaml[], kind: string): Yaml[] => objects.filter((object) => object.kind === kind);
  const selects = (selector: Record<string, string>, labels: Record<string, string>): boolean => Object.entries(selector).every(([name, value]) => labels[name] === value);
  const objects = helm === undefined ? [] : rendered('ingress.enabled=true', 'ingress.tlsSecretName=sejam-tls', 'networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring');
  const pods = of(objects, 'Deployment').map(({ spec }) => spec.template);

  it('is clean for helm lint, which notices a value that the schema refuses', () => {
    expect(run('lint', '--strict', chart)).toMatchObject({ status: 0 });
    expect(run('lint', '--strict', chart, '--set', 'kafkaBrokers=none').status).not.toBe(0);
  });

  it('runs each service of the repository from one image, under the probes that services answer', () => {
    expect(pods.map(({ spec }) => spec.containers[0].name as string).sort()).toEqual(services);
    for (const { spec } of pods) {
      const [container] = spec.containers;
      expect(container.env).toContainEqual({ name: 'SERVICE', value: container.name });
      expect(container.image).toBe('sejam-service:0.1.0');
      expect([container.readinessProbe.httpGet.path, container.livenessProbe.httpGet.path, container.startupProbe.httpGet.path]).toEqual(['/health/ready', '/health/live', '/health/live']);
      expect(container.resources).toMatchObject({ requests: { cpu: expect.any(String), memory: expect.any(String) }, limits: { memory: expect.any(String) } });
      expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false, securityContext: { runAsNonRoot: true } });
      expect(container.securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
      const volumes = (spec.volumes ?? []).map(({ name }: Yaml) => name as string);
      expect((container.volumeMounts ?? []).map(({ name }: Yaml) => name as string)).toEqual(volumes);
    }
  });

  it('sets no variable that the code does not read', async () => {
    const sources = (await files()).filter(isProduction).map(read).join('\n');
    const set = new Set([...pods, ...of(objects, 'Job').map(({ spec }) => spec.template)].flatMap(({ spec }) => (spec.containers[0].env as Yaml[]).map(({ name }) => name as string)));
    expect([...set].filter((name) => name !== 'SERVICE' && !sources.includes(`'${name}'`))).toEqual([]);
    expect(set.size).toBeGreaterThan(8);
  });

  it('leads to what exists: every selector finds pods, every address is a Service, every port is one of its container', () => {
    for (const { spec } of of(objects, 'Service')) expect(pods.filter(({ metadata }) => selects(spec.selector, metadata.labels))).toHaveLength(1);
    for (const { spec } of of(objects, 'PodDisruptionBudget')) expect(pods.filter(({ metadata }) => selects(spec.selector.matchLabels, metadata.labels))).toHaveLength(1);
    const [all, gateway] = of(objects, 'NetworkPolicy').map(({ spec }) => pods.filter(({ metadata }) => selects(spec.podSelector.matchLabels, metadata.labels)));
    expect([all?.length, gateway?.map(({ spec }) => spec.containers[0].name as string)]).toEqual([services.length, ['gateway']]);
    const addresses = of(objects, 'Service').map(({ metadata }) => `http://${metadata.name}:8080`);
    const used = pods.flatMap(({ spec }) => (spec.containers[0].env as Yaml[]).filter(({ name, value }) => /^SEJAM_.*_URL$/.test(name) && String(value).startsWith('http://')).map(({ value }) => value as string));
    expect(used.filter((address) => !addresses.includes(address))).toEqual([]);
    expect(used.length).toBeGreaterThanOrEqual(5);
    const [{ spec: ingress }] = of(objects, 'Ingress') as [Yaml];
    expect(of(objects, 'Service').map(({ metadata }) => metadata.name as string)).toContain(ingress.rules[0].http.paths[0].backend.service.name);
  });

  it('keeps the state on a volume that outlives the release, or in a Secret that is there already', () => {
    const [claim] = of(objects, 'PersistentVolumeClaim');
    expect(claim).toMatchObject({ metadata: { annotations: { 'helm.sh/resource-policy': 'keep' } } });
    const [job] = of(objects, 'Job');
    expect(job?.spec.template.spec.volumes).toContainEqual({ name: 'state', persistentVolumeClaim: { claimName: claim?.metadata.name } });
    const kept = rendered('state.existingSecret=kept');
    expect(of(kept, 'PersistentVolumeClaim')).toEqual([]);
    for (const { spec } of of(kept, 'Deployment')) expect(JSON.stringify(spec)).not.toContain('persistentVolumeClaim');
  });
});
