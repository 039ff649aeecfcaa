import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { CallOptions, Client, ClientReadableStream, Metadata } from '@grpc/grpc-js';
import { StoreUnavailable, type Position, type StoredEvent } from '@sejam/event-sourcing';
import { arrivals } from './arrivals.js';
import { abandon, type Connection } from './connection.js';
import { fromReceived, toStreamIdentifier, type Upcast } from './event-codec.js';
import { readResponse, type ReadResponse } from './read-response.js';
import { asStoreFault } from './store-faults.js';

const { Options } = streams.ReadReq;

/** So many events wait in memory before the server is held back. */
const capacity = 512;

/** A filtered subscription reports how far it has come after so many windows (of 32 events) without a match. */
const checkpointEveryWindows = 32;

export type Direction = 'forwards' | 'backwards';

export interface ReadContext {
  readonly connection: Connection;
  /** The longest silence of the server while a read waits for it. */
  readonly idleMs: number;
  readonly upcast: Upcast;
}

export function streamRequest(stream: string, { from, limit, direction }: { from?: number | undefined; limit: number; direction: Direction }): streams.ReadReq {
  const place = new Options.StreamOptions();
  place.setStreamIdentifier(toStreamIdentifier(stream));
  if (from !== undefined) place.setRevision(String(from));
  else if (direction === 'forwards') place.setStart(new shared.Empty());
  else place.setEnd(new shared.Empty());
  return counted(new Options().setStream(place).setNoFilter(new shared.Empty()), limit, direction);
}

export function recordRequest(prefixes: readonly string[], { from, limit, direction }: { from?: Position | undefined; limit: number; direction: Direction }): streams.ReadReq {
  return counted(new Options().setAll(placeIn(from, direction)).setFilter(filterOf(prefixes)), limit, direction);
}

/** `after` is exclusive; a server takes the same position as inclusive when it reads and as exclusive when it subscribes. */
export function subscriptionRequest(prefixes: readonly string[], after: Position | undefined): streams.ReadReq {
  const filter = filterOf(prefixes);
  filter.setCheckpointintervalmultiplier(checkpointEveryWindows);
  return finished(new Options().setAll(placeIn(after, 'forwards')).setFilter(filter).setSubscription(new Options.SubscriptionOptions()));
}

/** For `Connection.open`. */
export function startRead(request: streams.ReadReq) {
  return (client: Client, metadata: Metadata, options: CallOptions): ClientReadableStream<ReadResponse> =>
    client.makeServerStreamRequest('/event_store.client.streams.Streams/Read', (one: streams.ReadReq) => Buffer.from(one.serializeBinary()), readResponse, request, metadata, options);
}

/** Reads until the server is done. Throws StoreUnavailable when it fails or falls silent; leaving the loop early cancels the call. */
export async function* read(request: streams.ReadReq, doing: string, { connection, idleMs, upcast }: ReadContext): AsyncGenerator<StoredEvent> {
  const call = await connection
    .open('read', startRead(request))
    .catch((error: unknown) => Promise.reject(asStoreFault(error, doing)));
  const arrived = arrivals<ReadResponse>(call, capacity);
  try {
    for (;;) {
      const responses = arrived.take(capacity);
      for (const { event, says } of responses) {
        // A stream that does not exist is empty. The server says so in the answer, not by an error.
        if (says === 'stream-not-found') return;
        if (event !== undefined) yield upcast(fromReceived(event));
      }
      if (responses.length > 0) continue;
      const end = arrived.ending();
      if (end?.error !== undefined) throw asStoreFault(end.error, doing);
      if (end !== undefined) return;
      if (!(await arrived.change(idleMs))) throw new StoreUnavailable(`The event store was silent for ${idleMs} ms during ${doing}`);
    }
  } finally {
    abandon(call);
  }
}

function counted(options: streams.ReadReq.Options, limit: number, direction: Direction): streams.ReadReq {
  options.setCount(String(Math.min(limit, Number.MAX_SAFE_INTEGER)));
  options.setReadDirection(direction === 'forwards' ? Options.ReadDirection.FORWARDS : Options.ReadDirection.BACKWARDS);
  return finished(options);
}

function finished(options: streams.ReadReq.Options): streams.ReadReq {
  const uuids = new Options.UUIDOption();
  uuids.setString(new shared.Empty());
  return new streams.ReadReq().setOptions(options.setUuidOption(uuids));
}

function placeIn(position: Position | undefined, direction: Direction): streams.ReadReq.Options.AllOptions {
  const all = new Options.AllOptions();
  if (position !== undefined) {
    const place = new Options.Position();
    place.setCommitPosition(position.commit);
    place.setPreparePosition(position.prepare);
    return all.setPosition(place);
  }
  return direction === 'forwards' ? all.setStart(new shared.Empty()) : all.setEnd(new shared.Empty());
}

function filterOf(prefixes: readonly string[]): streams.ReadReq.Options.FilterOptions {
  const names = new Options.FilterOptions.Expression();
  // By the name of the stream: system streams hold events whose types look like anybody's.
  if (prefixes.length === 0) names.setRegex('^[^$]');
  else names.setPrefixList([...prefixes]);
  return new Options.FilterOptions().setStreamIdentifier(names).setCount(new shared.Empty()).setCheckpointintervalmultiplier(1);
}
