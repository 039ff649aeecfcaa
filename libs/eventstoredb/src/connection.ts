import { EventStoreDBClient } from '@eventstore/db-client';
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type { CallOptions, Metadata } from '@grpc/grpc-js';
import type { Readable } from 'node:stream';

/** What a call to the server needs of the client library: its channel, found anew after a fault, and its credentials. */
interface ClientParts {
  GRPCStreamCreator<Call>(service: typeof StreamsClient, name: string, create: (client: StreamsClient) => Call): () => Promise<Call>;
  callArguments(options: { requiresLeader?: boolean }, callOptions: { deadline: number }): [Metadata, CallOptions];
  dispose(): Promise<void>;
}

/** Ends a call for good, on the wire and here. A call that is only cancelled would never be finished if nobody took what it had received. */
export function abandon(call: Readable & { cancel(): void }): void {
  call.cancel();
  call.destroy();
}

export interface Connection {
  /** Opens a call on the channel as it is now; after a fault the next call is made on a new channel. */
  open<Call extends Readable>(name: string, create: (client: StreamsClient, metadata: Metadata, options: CallOptions) => Call): Promise<Call>;
  close(): Promise<void>;
}

/**
 * A connection by `@eventstore/db-client`: connection string, discovery, TLS, credentials and reconnecting are the library's. The calls
 * themselves are made here on its generated stubs, because its own `appendToStream` shares one table of promises among all clients of
 * a process, and can end the process or hang for ever when the server fails in the middle.
 */
export function connect(url: string, { requiresLeader }: { requiresLeader: boolean }): Connection {
  const client = EventStoreDBClient.connectionString(url) as unknown as ClientParts;
  return {
    open: (name, create) =>
      client.GRPCStreamCreator(StreamsClient, name, (stub) => create(stub, ...client.callArguments({ requiresLeader }, { deadline: Infinity })))(),
    close: () => client.dispose(),
  };
}
