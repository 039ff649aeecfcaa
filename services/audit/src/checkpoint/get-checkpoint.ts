import { Controller, Get, Header, Inject, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsIn, IsInt, Max, Min } from 'class-validator';
import { MayBeAbsent, RequestRefused } from '@sejam/service-host';
import { DomainError } from '@sejam/event-sourcing';
import { hashToBase64, proveConsistency, rootAt } from '@sejam/transparency-log';
import { PORTS, type AuditPorts } from '../audit-ports.js';
import { nodeReader, readPlace } from '../log/log-tables.js';
import { publishedCheckpoint, sampleCheckpoints } from '../log/signed-checkpoints.js';

const SAMPLES = 500;

class CheckpointQuery {
  /** `true`: the newest that a witness has cosigned, if one has. */
  @MayBeAbsent() @IsIn(['true', 'false']) cosigned?: string;
}

class ConsistencyQuery {
  @Type(() => Number) @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) from!: number;
  /** Without it: the log's size now. */
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) to?: number;
}

/** What anybody may hold against the record later: checkpoints, proofs that one extends another, and the keys to check them with. */
interface TreeHead {
  size: number;
  /** Base64. */
  root: string;
}

/** That the tree of `to` goes on from the tree of `from` (RFC 9162, 2.1.4); hashes in base64. */
interface Consistency {
  from: TreeHead;
  to: TreeHead;
  proof: string[];
}

/** Verifier keys as C2SP writes them. */
interface LogKeys {
  log: string[];
  witnesses: { name: string; vkey: string }[];
}

@Controller('v1/audit')
export class GetCheckpoint {
  constructor(@Inject(PORTS) private readonly ports: AuditPorts) {}

  /** A C2SP signed note with the cosignatures that have come in. */
  @Get('checkpoint')
  @Header('content-type', 'text/plain; charset=utf-8')
  @Header('cache-control', 'no-store')
  async newest(@Query() { cosigned }: CheckpointQuery): Promise<string> {
    const { pool } = this.ports;
    const wanted = cosigned === 'true' ? await publishedCheckpoint(pool, { cosigned: true }) : undefined;
    const found = wanted ?? (await publishedCheckpoint(pool, { cosigned: false }));
    if (found === undefined) throw new DomainError('audit.no-checkpoint', 'unavailable', 'No checkpoint has been signed yet', { retryAfterSeconds: 1 });
    return found.note;
  }

  /** At most 500 of all that were signed, evenly spread. */
  @Get('checkpoints')
  async earlier(): Promise<{ items: string[] }> {
    return { items: (await sampleCheckpoints(this.ports.pool, SAMPLES)).map(({ note }) => note) };
  }

  @Get('consistency')
  async consistency(@Query() { from, to }: ConsistencyQuery): Promise<Consistency> {
    const { pool } = this.ports;
    const { size } = await readPlace(pool);
    const second = to ?? size;
    if (second > size || from > second) {
      throw new RequestRefused(400, 'request.invalid-parameter', `The log holds ${size} events`, { errors: [{ pointer: from > second ? '?from' : '?to', code: 'out-of-range', detail: 'from ≤ to ≤ the size of the log' }] });
    }
    const read = nodeReader(pool);
    const [proof, root, secondRoot] = await Promise.all([proveConsistency(from, second, read), rootAt(from, read), rootAt(second, read)]);
    return { from: { size: from, root: hashToBase64(root) }, to: { size: second, root: hashToBase64(secondRoot) }, proof: proof.map(hashToBase64) };
  }

  @Get('keys')
  keys(): LogKeys {
    const { logKey, policy } = this.ports;
    return {
      log: [logKey.vkey],
      witnesses: (policy?.witnesses ?? []).map(({ name, key }) => ({ name, vkey: key.vkey })),
    };
  }
}
