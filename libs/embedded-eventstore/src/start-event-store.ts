import { randomUUID } from 'node:crypto';
import { PROTOCOL_VERSION, gossip, supportedMethods } from './node-info.js';
import { EventRecord } from './record/event-record.js';
import { append } from './streams/append.js';
import { batchAppend } from './streams/batch-append.js';
import { read } from './streams/read.js';
import { refuseRemoval } from './streams/refuse-removal.js';
import { listen, type Handler } from './wire/grpc-server.js';

export interface EventStoreOptions {
  /** Created when missing. One process owns it. */
  readonly dataFolder: string;
  /** Default 127.0.0.1: there is no authentication, so think before listening on more. */
  readonly host?: string;
  /** Default 0: any free one. EventStoreDB's own is 2113. */
  readonly port?: number;
  /** Largest append, counted as EventStoreDB counts it: data, metadata, and two bytes per character of the type. Default 1 MiB. */
  readonly maxAppendBytes?: number;
  /** A file of the record is followed by a new one when it is larger. Default 256 MiB. */
  readonly segmentBytes?: number;
  /** Takes the sentences about refusals and repairs. Default: standard error. */
  readonly log?: (message: string) => void;
}

export interface RunningEventStore {
  readonly port: number;
  /** For any EventStoreDB client. */
  readonly url: string;
  /** Ends open calls with UNAVAILABLE and gives the data folder free. */
  close(): Promise<void>;
}

/**
 * Starts a server on a data folder; resolves when it answers. Throws FolderInUse when another process owns the folder, CorruptRecord
 * when its files do not hold what was written.
 */
export async function startEventStore(options: EventStoreOptions): Promise<RunningEventStore> {
  const { dataFolder, host = '127.0.0.1', port = 0, maxAppendBytes = 1024 * 1024, segmentBytes = 256 * 1024 * 1024 } = options;
  const log = options.log ?? ((message: string) => process.stderr.write(`${message}\n`));
  const record = await EventRecord.open({ folder: dataFolder, segmentBytes, log });
  if (record.log.end === record.log.start) await beginRecord(record);
  const refused = new Set<string>();
  let boundPort = port;
  const streams = '/event_store.client.streams.Streams';
  const handlers = new Map<string, Handler>([
    [`${streams}/Read`, read(record)],
    [`${streams}/Append`, append(record, { maxAppendBytes, log })],
    [`${streams}/BatchAppend`, batchAppend(record, { maxAppendBytes, log })],
    [`${streams}/Delete`, refuseRemoval('Deleting', log)],
    [`${streams}/Tombstone`, refuseRemoval('Tombstoning', log)],
    ['/event_store.client.gossip.Gossip/Read', gossip(randomUUID(), () => ({ host, port: boundPort }))],
    ['/event_store.client.server_features.ServerFeatures/GetSupportedMethods', supportedMethods],
  ]);
  try {
    const server = await listen({
      host,
      port,
      handlers,
      onUnknownMethod: (path) => {
        if (refused.has(path) || refused.size > 1000) return;
        refused.add(path);
        log(`${path} is not offered: this server keeps events and serves them, nothing else (said once).`);
      },
      page: (path) => (path === '/info' ? { esVersion: PROTOCOL_VERSION, server: 'sejam-eventstore', events: record.index.size } : path === '/health/live' ? { status: 'ok' } : undefined),
      log,
    });
    boundPort = server.port;
    const urlHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
    let closed: Promise<void> | undefined;
    return {
      port: server.port,
      url: `esdb://${urlHost}:${server.port}?tls=false`,
      // What has been taken is answered before the calls end.
      close: () => (closed ??= record.settled().then(() => server.close()).then(() => record.close())),
    };
  } catch (error) {
    await record.close();
    throw error;
  }
}

/** A new record begins with an event of the system, as that of any EventStoreDB does; it says what the record is. */
function beginRecord(record: EventRecord): Promise<void> {
  const data = Buffer.from(JSON.stringify({ recordId: record.log.recordId.toString('hex'), server: 'sejam-eventstore', format: 1 }));
  const begun = { id: randomUUID(), type: '$recordBegun', isJson: true, metadata: Buffer.alloc(0), data };
  return new Promise((resolve, reject) => record.append('$record', 'no-stream', [begun], () => resolve(), reject));
}
