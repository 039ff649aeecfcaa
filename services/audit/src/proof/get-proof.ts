import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import { Matches } from 'class-validator';
import { DomainError, type EventStore, type StoredEvent } from '@sejam/event-sourcing';
import { Caller } from '@sejam/service-host';
import { formatEventLine, formatTlogProof, loggedEvent, parseCheckpoint, parseNote, proveInclusion } from '@sejam/transparency-log';
import { PORTS, type AuditPorts } from '../audit-ports.js';
import { findLeaf, nodeReader, readLeafHashes } from '../log/log-tables.js';
import { publishedCheckpoint } from '../log/signed-checkpoints.js';
import { maySee } from './visibility.js';

class ProofParameters {
  @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) eventId!: string;
}

/** A receipt: that one event stands in the log, checkable by anybody, for ever, without asking anybody. */
@Controller('v1/audit/proofs')
export class GetProof {
  constructor(@Inject(PORTS) private readonly ports: AuditPorts) {}

  /** A C2SP tlog-proof. An event that the caller may not see is as unknown as one that is not there. */
  @Get(':eventId')
  @Header('content-type', 'text/plain; charset=utf-8')
  async prove(@Param() { eventId }: ProofParameters, @Caller() caller: Caller): Promise<string> {
    const { pool, store } = this.ports;
    const leaf = await findLeaf(pool, eventId);
    if (leaf === undefined) throw unknownEvent();
    const event = await readEvent(store, leaf.stream, leaf.revision);
    if (event?.id !== eventId || !(await maySee(store, event, caller))) throw unknownEvent();
    // Cosigned if it is covered by then: a witness makes the receipt worth more.
    const cosigned = await publishedCheckpoint(pool, { cosigned: true });
    const published = cosigned !== undefined && cosigned.size > leaf.index ? cosigned : await publishedCheckpoint(pool, { cosigned: false });
    const size = published === undefined ? 0 : parseCheckpoint(parseNote(published.note).text).size;
    if (published === undefined || size <= leaf.index) throw new DomainError('audit.no-checkpoint', 'unavailable', 'No checkpoint covers this event yet', { retryAfterSeconds: 1 });
    const [hash] = await readLeafHashes(pool, leaf.index, 1);
    return formatTlogProof({
      index: leaf.index,
      hashes: await proveInclusion(leaf.index, size, nodeReader(pool)),
      checkpoint: published.note,
      extra: Buffer.from(formatEventLine(leaf.index, hash!, loggedEvent(event))),
    });
  }
}

async function readEvent(store: EventStore, stream: string, revision: number): Promise<StoredEvent | undefined> {
  for await (const event of store.read(stream, { from: revision, limit: 1 })) return event;
  return undefined;
}

function unknownEvent(): DomainError {
  return new DomainError('audit.event-unknown', 'not-found', 'There is no such event in the log, or the caller may not see it');
}
