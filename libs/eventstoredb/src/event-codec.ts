import type { EventMetadata, Position, StoredEvent } from '@sejam/event-sourcing';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import type { ReceivedEvent } from './read-response.js';

/** Changes an event of an older form into the form of today, on reading. What is stored is never rewritten. */
export type Upcast = (event: StoredEvent) => StoredEvent;

/** Throws when the event is not one that this adapter could have written, nor the store's own notice of a deletion: its bytes are not JSON. */
export function fromReceived({ type, id, stream, revision, commit, prepare, created, data, metadata }: ReceivedEvent): StoredEvent {
  return {
    type,
    data: (type === '$streamDeleted' ? {} : JSON.parse(data.toString('utf8'))) as object,
    id,
    stream,
    revision: Number(revision),
    metadata: (metadata.length === 0 ? {} : JSON.parse(metadata.toString('utf8'))) as EventMetadata,
    created: new Date(Number(created.slice(0, -4))).toISOString(),
    position: { commit, prepare },
  };
}

export function toStreamIdentifier(stream: string): shared.StreamIdentifier {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream));
  return identifier;
}

export function isAfter(one: Position, other: Position): boolean {
  const [commit, otherCommit] = [BigInt(one.commit), BigInt(other.commit)];
  return commit > otherCommit || (commit === otherCommit && BigInt(one.prepare) > BigInt(other.prepare));
}
