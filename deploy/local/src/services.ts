import { createRequire } from 'node:module';

/** What runs behind the gateway. One line adds a service: its package is `@sejam/<name>`, its address reaches the gateway as `SEJAM_<NAME>_URL`. */
export const services = ['intake', 'routing', 'sla', 'reporting', 'audit'] as const;

export const programs = [...services, 'gateway', 'sandbox'] as const;
export type ProgramName = (typeof programs)[number];

const { resolve } = createRequire(import.meta.url);

/** The built `main.js` of a service. */
export function programOf(name: ProgramName): string {
  return resolve(`@sejam/${name}`);
}
