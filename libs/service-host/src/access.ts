import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '@sejam/event-sourcing';
import type { IdentityDirectory, KeyCheck, OrganisationKind, Role } from './identity-directory.js';
import { RequestRefused } from './problem.js';
import type { RateLimiter } from './rate-limit.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
export type Scope = 'all' | 'own';

/** Who may do what at one address. A route without a row, and a row without a route, keep the service from starting. */
export interface AccessRow {
  readonly method: Method;
  /** As the router knows it, such as `/v1/reports/:id/approval`. */
  readonly path: string;
  /** `public` needs no key; `signature` neither, its handler verifies the signature over `rawBody` and parses it (`parseJsonBody`); else a key with one of the roles. */
  readonly roles: 'public' | 'signature' | readonly Role[];
  /** Narrows the roles to some kinds of organisation, such as a `reporter` of an agency but not of a partner. */
  readonly kinds?: readonly OrganisationKind[];
  /** What a kind of organisation sees here, where it differs from the rule: partners and platforms their own, the others all. */
  readonly scope?: Readonly<Partial<Record<OrganisationKind, Scope>>>;
  /** A path parameter that must be the caller's own organisation where its scope is `own`; else the address is 404. */
  readonly ownParameter?: string;
  /** For the platforms' webhooks: the path parameter whose value is limited as one caller. */
  readonly limitBy?: string;
}

/** Who stands behind a request. `own` means: only what belongs to `organisation`; the rest does not exist for this caller (404). */
export interface Caller {
  readonly organisation: string;
  readonly kind: OrganisationKind;
  readonly holder: string;
  readonly keyId: string;
  readonly roles: readonly Role[];
  readonly scope: Scope;
}

export type RequestWithCaller = FastifyRequest & { caller?: Caller };

const defaultScope: Readonly<Record<OrganisationKind, Scope>> = { agency: 'all', auditor: 'all', operator: 'all', partner: 'own', platform: 'own' };

/** Checks the table as it is written: one row an address, a parameter that exists where one is named. */
export function defineAccess(rows: readonly AccessRow[]): readonly AccessRow[] {
  const seen = new Set<string>();
  for (const row of rows) {
    const name = `${row.method} ${row.path}`;
    if (seen.has(name)) throw new Error(`The access table has two rows for ${name}`);
    seen.add(name);
    for (const parameter of [row.ownParameter, row.limitBy]) {
      if (parameter !== undefined && !row.path.split('/').includes(`:${parameter}`)) throw new Error(`The access table names the parameter "${parameter}", which is not in ${name}`);
    }
    if (Array.isArray(row.roles) && row.roles.length === 0) throw new Error(`The access table lets nobody in at ${name}`);
  }
  return rows;
}

/** What the table says to one caller at one row; undefined: it may call. One function for the guard and for the test that walks the table. */
export function refusalBy(row: AccessRow, caller: Pick<Caller, 'kind' | 'roles'> | undefined): 'key.missing' | 'key.role-missing' | undefined {
  if (row.roles === 'public' || row.roles === 'signature') return undefined;
  if (caller === undefined) return 'key.missing';
  const roleFits = row.roles.some((role) => caller.roles.includes(role));
  const kindFits = row.kinds === undefined || row.kinds.includes(caller.kind);
  return roleFits && kindFits ? undefined : 'key.role-missing';
}

export function scopeBy(row: AccessRow, kind: OrganisationKind): Scope {
  return row.scope?.[kind] ?? defaultScope[kind];
}

export interface AccessGuardOptions {
  readonly rows: readonly AccessRow[];
  readonly directory: IdentityDirectory;
  readonly keyLimiter: RateLimiter;
  readonly webhookLimiter: RateLimiter;
  /** After each accepted key; must not throw and must not wait. */
  readonly onKeyUsed?: ((keyId: string, at: Date) => void) | undefined;
}

/** The one guard. Runs before a byte of the body is read, so that a stranger costs next to nothing. */
export class AccessGuard {
  readonly #rows: ReadonlyMap<string, AccessRow>;

  constructor(private readonly options: AccessGuardOptions) {
    this.#rows = new Map(options.rows.map((row) => [`${row.method} ${row.path}`, row]));
  }

  /** Throws the refusal, or leaves the caller on the request. */
  admit(request: RequestWithCaller): void {
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const row = this.#rows.get(`${method} ${request.routeOptions.url ?? ''}`);
    if (row === undefined) return; // Not found, or one of the host's own addresses.
    const parameters = request.params as Readonly<Record<string, string>>;
    if (row.limitBy !== undefined) refuseFlood(this.options.webhookLimiter.take(parameters[row.limitBy] ?? ''));
    if (row.roles === 'public' || row.roles === 'signature') return;

    const caller = this.#authenticate(request, row);
    refuseFlood(this.options.keyLimiter.take(caller.keyId));
    if (refusalBy(row, caller) !== undefined) throw new RequestRefused(403, 'key.role-missing', `This needs a key with ${row.roles.length === 1 ? 'the role' : 'one of the roles'} ${row.roles.join(', ')}${row.kinds === undefined ? '' : ` of an organisation of kind ${row.kinds.join(', ')}`}`);
    if (row.ownParameter !== undefined && caller.scope === 'own' && parameters[row.ownParameter] !== caller.organisation) {
      throw new RequestRefused(404, 'request.unknown-route', 'There is nothing at this address');
    }
    if (method !== 'GET' && !this.options.directory.fresh) {
      throw new RequestRefused(503, 'key.directory-stale', 'Which keys are still good is not known for certain now, so nothing is written; the request may be repeated', { headers: { 'retry-after': '5' } });
    }
    request.caller = caller;
  }

  #authenticate(request: FastifyRequest, row: AccessRow): Caller {
    const header = request.headers.authorization;
    if (header === undefined) throw unauthorized('key.missing', 'Send a key as Authorization: Bearer sjm_…');
    const presented = /^Bearer +(\S+) *$/i.exec(header)?.[1];
    const check: KeyCheck = presented === undefined ? { outcome: 'unknown' } : this.options.directory.check(presented);
    if (check.outcome === 'unknown') throw unauthorized('key.unknown', 'This key is not known, or not any more');
    if (check.outcome === 'expired') throw unauthorized('key.expired', 'This key has expired');
    const { key, organisation } = check;
    this.options.onKeyUsed?.(key.keyId, new Date());
    return { organisation: key.organisation, kind: organisation.kind, holder: key.holder, keyId: key.keyId, roles: key.roles, scope: scopeBy(row, organisation.kind) };
  }
}

/** The authenticated caller of a request: `submit(@Caller() caller: Caller)`. Fails loudly on a public address, where there is none. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<RequestWithCaller>();
  if (caller === undefined) throw new Error('A handler asks for the caller at an address that the access table leaves public');
  return caller;
});

/** The caller as events' metadata name it. */
export function actorOf({ organisation, holder, keyId }: Caller): Actor {
  return { organisation, holder, keyId };
}

function unauthorized(code: string, detail: string): RequestRefused {
  return new RequestRefused(401, code, detail, { headers: { 'www-authenticate': 'Bearer realm="sejam"' } });
}

function refuseFlood(waitSeconds: number): void {
  if (waitSeconds <= 0) return;
  throw new RequestRefused(429, 'rate-limited', 'Too many requests at once; come again when Retry-After says', { headers: { 'retry-after': String(Math.max(1, Math.ceil(waitSeconds))) } });
}
