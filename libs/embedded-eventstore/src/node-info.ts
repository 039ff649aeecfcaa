import type { GrpcCall } from './wire/grpc-call.js';
import { field } from './wire/protobuf.js';
import { uuidParts } from './wire/uuid.js';

/** The version whose protocol this server speaks; clients choose their ways by it. */
export const PROTOCOL_VERSION = '23.10.0';

const STREAMS = 'event_store.client.streams.streams';
const LEADER = 8;

const METHODS: readonly { service: string; method: string; features: readonly string[] }[] = [
  { service: STREAMS, method: 'read', features: ['position', 'events'] },
  { service: STREAMS, method: 'append', features: [] },
  { service: STREAMS, method: 'batchappend', features: ['deadline_duration'] },
  { service: STREAMS, method: 'delete', features: [] },
  { service: STREAMS, method: 'tombstone', features: [] },
  { service: 'event_store.client.gossip.gossip', method: 'read', features: [] },
  { service: 'event_store.client.server_features.serverfeatures', method: 'getsupportedmethods', features: [] },
];

/** ServerFeatures/GetSupportedMethods. */
export async function supportedMethods(call: GrpcCall): Promise<void> {
  await call.single();
  const methods = METHODS.map(({ service, method, features }) => field.message(1, field.string(1, method), field.string(2, service), ...features.map((feature) => field.string(3, feature))));
  call.send(Buffer.concat([...methods, field.string(2, PROTOCOL_VERSION)]));
  call.end();
}

/** Gossip/Read: one node, the leader, at the address by which the client has reached it. */
export function gossip(instanceId: string, listening: () => { host: string; port: number }): (call: GrpcCall) => Promise<void> {
  return async (call) => {
    await call.single();
    const { host, port } = reachedAt(call.headers[':authority'], listening());
    const endpoint = field.message(5, field.string(1, host), field.uint(2, port));
    const ticks = BigInt(Date.now()) * 10_000n;
    call.send(field.message(1, field.bytes(1, uuidParts(instanceId, true)), field.int64(2, ticks), field.uint(3, LEADER), field.uint(4, 1), endpoint));
    call.end();
  };
}

function reachedAt(authority: string | undefined, own: { host: string; port: number }): { host: string; port: number } {
  const match = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(authority ?? '');
  return match ? { host: match[1]!.replace(/^\[|\]$/g, ''), port: Number(match[2]) } : own;
}
