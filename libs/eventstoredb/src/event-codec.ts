import type { EventMetadata, NewEvent, Position, StoredEvent } from '@sejam/event-sourcing';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';

/** Changes an event of an older form into the form of today, on reading. What is stored is never rewritten. */
export type Upcast = (event: StoredEvent) => StoredEvent;

export function toProposal({ id, type, data, metadata }: NewEvent): streams.BatchAppendReq.ProposedMessage {
  const proposal = new streams.BatchAppendReq.ProposedMessage();
  proposal.setId(toUuid(id));
  proposal.getMetadataMap().set('type', type).set('content-type', 'application/json');
  proposal.setData(Buffer.from(JSON.stringify(data)));
  proposal.setCustomMetadata(Buffer.from(JSON.stringify(metadata)));
  return proposal;
}

/** Throws when the event is not one that this adapter could have written: its bytes are not JSON. */
export function fromRecorded(recorded: streams.ReadResp.ReadEvent.RecordedEvent): StoredEvent {
  const header = recorded.getMetadataMap();
  const metadata = recorded.getCustomMetadata_asU8();
  return {
    type: header.get('type') ?? '',
    data: parse(recorded.getData_asU8()) as object,
    id: fromUuid(recorded.getId()),
    stream: text(recorded.getStreamIdentifier()?.getStreamName_asU8() ?? new Uint8Array()),
    revision: Number(recorded.getStreamRevision()),
    metadata: (metadata.length === 0 ? {} : parse(metadata)) as EventMetadata,
    created: fromTicks(header.get('created')),
    position: { commit: String(recorded.getCommitPosition()), prepare: String(recorded.getPreparePosition()) },
  };
}

export function toUuid(id: string): shared.UUID {
  const uuid = new shared.UUID();
  uuid.setString(id);
  return uuid;
}

/** Servers answer in whichever of the two forms they like: text, or two signed 64-bit numbers. */
export function fromUuid(uuid: shared.UUID | undefined): string {
  const structured = uuid?.getStructured();
  if (structured === undefined) return uuid?.getString() ?? '';
  const half = (bits: string): string => BigInt.asUintN(64, BigInt(bits)).toString(16).padStart(16, '0');
  const hex = half(structured.getMostSignificantBits()) + half(structured.getLeastSignificantBits());
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
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

/** Ticks of 100 nanoseconds since 1970. */
function fromTicks(ticks: string | undefined): string {
  return new Date(Number(BigInt(ticks ?? 0) / 10_000n)).toISOString();
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(text(bytes));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
