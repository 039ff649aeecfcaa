import { randomUUID } from 'node:crypto';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray, IsIn, IsInt, IsISO8601, IsString, Length, Matches, Max, Min } from 'class-validator';
import { DomainError } from '@sejam/event-sourcing';
import { fingerprint, MayBeAbsent, newApiKey, organisationKinds, RequestCause, roles } from '@sejam/service-host';
import { PORTS, type IntakePorts } from '../intake-ports.js';
import { purposeOfName } from './officer-names.js';
import {
  addOfficer, issueKey, organisation, register, revokeKey, rotateKey,
  type Organisation, type OrganisationEvent, type OrganisationKind, type PartnerKind, type Role,
} from './organisation.js';

const organisationId = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const partnerKinds = ['media', 'civil_society', 'academia', 'religious', 'creator'] as const;

class RegisterOrganisationBody {
  @Matches(organisationId) id!: string;
  @IsIn(organisationKinds) kind!: OrganisationKind;
  @IsString() @Length(1, 200) name!: string;
  @MayBeAbsent() @IsIn(partnerKinds) partnerKind?: PartnerKind;
  @MayBeAbsent() @Matches(organisationId) executor?: string;
  @MayBeAbsent() @IsArray() @ArrayMaxSize(20) @ArrayUnique() @Matches(organisationId, { each: true }) products?: string[];
}

class AddOfficerBody {
  @IsString() @Length(1, 200) name!: string;
}

class IssueKeyBody {
  @IsArray() @ArrayMinSize(1) @ArrayMaxSize(roles.length) @ArrayUnique() @IsIn(roles, { each: true }) roles!: Role[];
  @IsString() @Length(1, 100) holder!: string;
  /** Wall time. */
  @MayBeAbsent() @IsISO8601({ strict: true }) expiresAt?: string;
}

class RotateKeyBody {
  @IsInt() @Min(0) @Max(1440) overlapMinutes!: number;
}

interface OrganisationDocument {
  id: string;
  kind: string;
  name: string;
  partnerKind?: string;
  executor?: string;
  products?: string[];
}

interface KeyDocument {
  keyId: string;
  holder: string;
  roles: string[];
  issuedAt: Date;
  expiresAt?: Date;
  /** A rotated key works until then. */
  worksUntil?: Date;
  revokedAt?: Date;
  lastUsedAt?: Date;
}

@Controller('v1/organisations')
export class ManageOrganisations {
  constructor(@Inject(PORTS) private readonly ports: IntakePorts) {}

  @Post()
  async register(@Body() body: RegisterOrganisationBody, @RequestCause() cause: RequestCause): Promise<OrganisationDocument & { eventId: string }> {
    const { id, ...registration } = body;
    if (body.executor !== undefined && this.ports.directory.organisation(body.executor)?.kind !== 'agency') {
      throw new DomainError('organisation.executor', 'invalid', `There is no agency ${body.executor} to carry out decisions`, { pointer: '/executor' });
    }
    const { first } = await this.#transact(id, cause, (state) => register(state, { organisation: id, ...registration }));
    return { id, ...registration, eventId: first };
  }

  @Get()
  async list(): Promise<{ items: OrganisationDocument[] }> {
    const { rows } = await this.ports.pool.query<{ id: string; kind: string; name: string; partner_kind: string | null; executor: string | null; products: string[] }>(
      'SELECT id, kind, name, partner_kind, executor, products FROM organisation ORDER BY kind, id',
    );
    return {
      items: rows.map(({ id, kind, name, partner_kind, executor, products }) => ({
        id, kind, name,
        ...(partner_kind === null ? {} : { partnerKind: partner_kind }),
        ...(executor === null ? {} : { executor }),
        ...(products.length === 0 ? {} : { products }),
      })),
    };
  }

  /** The name goes into a kept table, sealed; the record knows the officer by `holder` alone. */
  @Post(':id/officers')
  async addOfficer(@Param('id') id: string, @Body() { name }: AddOfficerBody, @RequestCause() requested: RequestCause): Promise<{ holder: string; eventId: string }> {
    // A hash over a name is soon guessed, and no erasure reaches it in the record: this one tells only that an officer was added.
    const cause = requested.request === undefined ? requested : { ...requested, request: { sha256: fingerprint({ addOfficer: id }) } };
    const { pool, masterKey } = this.ports;
    const holder = `officer:${randomUUID()}`;
    // Before the event that refers to it; a name without an event is removed again.
    await pool.query('INSERT INTO officer (holder, organisation, sealed_name) VALUES ($1, $2, $3)', [holder, id, masterKey.seal(name, purposeOfName(holder))]);
    const removeName = () => pool.query('DELETE FROM officer WHERE holder = $1', [holder]);
    try {
      const { events, first } = await this.#transact(id, cause, (state) => addOfficer(state, { holder }));
      const recorded = events.find((event) => event.type === 'OfficerAdded')?.data.holder ?? holder;
      if (recorded !== holder) {
        await removeName();
        await this.#refuseOtherName(recorded, name);
      }
      return { holder: recorded, eventId: first };
    } catch (error) {
      if ((error as Error).name === 'DomainError' && (error as DomainError).kind !== 'unavailable') await removeName();
      throw error;
    }
  }

  /** A retry is told from another request by the name that was kept; one that was erased since is compared with nothing. */
  async #refuseOtherName(holder: string, name: string): Promise<void> {
    const { rows } = await this.ports.pool.query<{ sealed_name: string }>('SELECT sealed_name FROM officer WHERE holder = $1', [holder]);
    if (rows[0] !== undefined && this.ports.masterKey.open(rows[0].sealed_name, purposeOfName(holder)).toString('utf8') !== name) {
      throw new DomainError('request.key-reused', 'conflict', 'This Idempotency-Key was used before, for another request');
    }
  }

  /** The key is in this answer and nowhere else: a retry under the same Idempotency-Key answers without it. */
  @Post(':id/keys')
  async issueKey(@Param('id') id: string, @Body() body: IssueKeyBody, @RequestCause() cause: RequestCause): Promise<{ keyId: string; key?: string; eventId: string }> {
    const { keyId, key, sha256 } = newApiKey();
    const { first, replayed, events } = await this.#transact(id, cause, (state) => issueKey(state, { keyId, ...body, secretSha256: sha256, now: new Date() }));
    const issued = events.find((event) => event.type === 'KeyIssued');
    return { keyId: issued?.data.keyId ?? keyId, ...(replayed ? {} : { key }), eventId: first };
  }

  @Get(':id/keys')
  async keys(@Param('id') id: string): Promise<{ items: KeyDocument[] }> {
    this.#mustExist(id);
    interface Row { key_id: string; holder: string; roles: string[]; issued_at: Date; expires_at: Date | null; works_until: Date | null; revoked_at: Date | null; last_used_at: Date | null }
    const { rows } = await this.ports.pool.query<Row>(
      `SELECT key_id, holder, roles, issued_at, expires_at, works_until, revoked_at, last_used_at
       FROM api_key LEFT JOIN api_key_use USING (key_id) WHERE organisation = $1 ORDER BY issued_at, key_id`,
      [id],
    );
    const present = <Name extends string>(name: Name, value: Date | null) => (value === null ? {} : { [name]: value }) as { [key in Name]?: Date };
    return {
      items: rows.map(({ key_id: keyId, holder, roles: granted, issued_at: issuedAt, ...row }) => ({
        keyId, holder, roles: granted, issuedAt,
        ...present('expiresAt', row.expires_at), ...present('worksUntil', row.works_until), ...present('revokedAt', row.revoked_at), ...present('lastUsedAt', row.last_used_at),
      })),
    };
  }

  @Post(':id/keys/:keyId/rotation')
  async rotateKey(@Param('id') id: string, @Param('keyId') keyId: string, @Body() { overlapMinutes }: RotateKeyBody, @RequestCause() cause: RequestCause): Promise<{ keyId: string; key?: string; overlapUntil: string; eventId: string }> {
    const fresh = newApiKey();
    const wanted = new Date(Date.now() + overlapMinutes * 60_000).toISOString();
    const { first, replayed, events } = await this.#transact(id, cause, (state) => rotateKey(state, { keyId, newKeyId: fresh.keyId, secretSha256: fresh.sha256, overlapUntil: wanted }));
    const rotated = events.find((event) => event.type === 'KeyRotated');
    return { keyId: rotated?.data.newKeyId ?? fresh.keyId, ...(replayed ? {} : { key: fresh.key }), overlapUntil: rotated?.data.overlapUntil ?? wanted, eventId: first };
  }

  @Delete(':id/keys/:keyId')
  @HttpCode(200)
  async revokeKey(@Param('id') id: string, @Param('keyId') keyId: string, @RequestCause() cause: RequestCause): Promise<{ keyId: string; eventId: string }> {
    const { first } = await this.#transact(id, cause, (state) => revokeKey(state, { keyId }));
    return { keyId, eventId: first };
  }

  #mustExist(id: string): void {
    if (this.ports.directory.organisation(id) === undefined) throw new DomainError('organisation.not-found', 'not-found', 'There is no such organisation');
  }

  async #transact(id: string, cause: RequestCause, decide: (state: Organisation) => OrganisationEvent[]) {
    if (!organisationId.test(id)) throw new DomainError('organisation.not-found', 'not-found', 'There is no such organisation');
    const { events, state, replayed } = await this.ports.transact(organisation, id, cause, decide);
    // At once, not when the subscription brings it: a revoked key is refused from this answer on.
    for (const event of events) this.ports.directory.apply(event);
    const first = events[0]?.id ?? (state.status === 'registered' ? state.lastEventId : '');
    return { events, replayed, first };
  }
}
