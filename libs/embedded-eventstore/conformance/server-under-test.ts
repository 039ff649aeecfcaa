import { randomUUID } from 'node:crypto';
import { ANY, EventStoreDBClient, jsonEvent, type AppendExpectedRevision, type EventData, type ResolvedEvent } from '@eventstore/db-client';
import streamsRpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { credentials } from '@grpc/grpc-js';

/** The server that the suite is pointed at, reached in both ways: by the official client, and by messages put together by hand. */
export class ServerUnderTest {
  readonly client: EventStoreDBClient;
  readonly raw: InstanceType<typeof streamsRpc.StreamsClient>;
  private readonly run = randomUUID().slice(0, 8);
  private streams = 0;

  constructor(readonly url: string) {
    this.client = EventStoreDBClient.connectionString(url);
    this.raw = new streamsRpc.StreamsClient(new URL(url.replace(/^esdb(\+discover)?:/, 'http:')).host, credentials.createInsecure());
  }

  /** A name that no stream has yet, also on a server that is in use. */
  newStream(category = 'conformance'): string {
    this.streams += 1;
    return `${category}-${this.run}x${this.streams}`;
  }

  /** Appends events of these types, all or nothing. */
  async append(stream: string, types: readonly string[], expectedRevision: AppendExpectedRevision = ANY): Promise<{ revision: bigint; commit: bigint; events: EventData[] }> {
    const events = types.map((type) => jsonEvent({ type, data: { type } }));
    const result = await this.client.appendToStream(stream, events, { expectedRevision });
    return { revision: result.nextExpectedRevision, commit: result.position!.commit, events };
  }

  /** Reads everything through a filter, which the official client of Node has for subscriptions alone. */
  readFiltered({ by, prefixes = [], regex = '', from, backwards = false, count = 1000 }: FilteredRead): Promise<{ id: string; type: string; stream: string; commit: bigint }[]> {
    const { Options } = streams.ReadReq;
    const expression = new Options.FilterOptions.Expression();
    expression.setRegex(regex);
    expression.setPrefixList([...prefixes]);
    const filter = new Options.FilterOptions();
    if (by === 'stream') filter.setStreamIdentifier(expression);
    else filter.setEventType(expression);
    filter.setMax(50);
    filter.setCheckpointintervalmultiplier(1);
    const all = new Options.AllOptions();
    if (from === undefined && backwards) all.setEnd(new shared.Empty());
    else if (from === undefined) all.setStart(new shared.Empty());
    else {
      const position = new Options.Position();
      position.setCommitPosition(String(from));
      position.setPreparePosition(String(from));
      all.setPosition(position);
    }
    const ids = new Options.UUIDOption();
    ids.setString(new shared.Empty());
    const options = new Options();
    options.setAll(all);
    options.setFilter(filter);
    options.setCount(String(count));
    options.setReadDirection(backwards ? Options.ReadDirection.BACKWARDS : Options.ReadDirection.FORWARDS);
    options.setUuidOption(ids);
    const request = new streams.ReadReq();
    request.setOptions(options);
    return new Promise((resolve, reject) => {
      const found: { id: string; type: string; stream: string; commit: bigint }[] = [];
      const call = this.raw.read(request);
      call.on('data', (message: InstanceType<typeof streams.ReadResp>) => {
        const event = message.getEvent()?.getEvent();
        if (!event) return;
        found.push({
          id: event.getId()!.getString(),
          type: event.getMetadataMap().get('type')!,
          stream: Buffer.from(event.getStreamIdentifier()!.getStreamName_asU8()).toString(),
          commit: BigInt(event.getCommitPosition()),
        });
      });
      call.on('error', reject);
      call.on('end', () => resolve(found));
    });
  }

  async dispose(): Promise<void> {
    this.raw.close();
    await this.client.dispose();
  }
}

export interface FilteredRead {
  readonly by: 'stream' | 'type';
  readonly prefixes?: readonly string[];
  readonly regex?: string;
  /** A commit position; default: the start, or backwards the end. */
  readonly from?: bigint;
  readonly backwards?: boolean;
  readonly count?: number;
}

export async function collect(reading: AsyncIterable<ResolvedEvent>): Promise<ResolvedEvent[]> {
  const found: ResolvedEvent[] = [];
  for await (const resolved of reading) found.push(resolved);
  return found;
}

export const typesOf = (found: readonly ResolvedEvent[]): (string | undefined)[] => found.map(({ event }) => event?.type);

/** Resolves when `condition` holds; rejects after five seconds with what it said last. */
export async function eventually(condition: () => void | Promise<void>, timeoutMs = 5000): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    try {
      await condition();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
