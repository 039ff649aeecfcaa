import { eventLeafHash, formatEventLine, Frontier, loggedEvent, noteSigner, sha256, signCheckpoint, type NoteSigner, type RecordedEvent } from '@sejam/transparency-log';
import { BundleWriter, type BundleFrame } from './write-bundle.js';

/** For tests and measurements alone: a log whose key anybody can compute. */
export const testSigner: NoteSigner = noteSigner('sejam.example/record', 'ed25519', sha256('a log of tests'));

export interface TestLog {
  readonly lines: string[];
  readonly checkpoints: ReadonlyMap<number, string>;
}

/** The lines of a record and its checkpoints, signed at the sizes asked for (and at the end). */
export function logOf(events: readonly RecordedEvent[], { signer = testSigner, signAt = [] as readonly number[] } = {}): TestLog {
  const frontier = new Frontier();
  const checkpoints = new Map<number, string>();
  const lines = events.map((event, index) => {
    const logged = loggedEvent(event);
    const leaf = eventLeafHash(logged);
    frontier.append(leaf);
    if (signAt.includes(index + 1) || index === events.length - 1) checkpoints.set(index + 1, signCheckpoint({ size: index + 1, root: frontier.root() }, signer));
    return `${formatEventLine(index, leaf, logged)}\n`;
  });
  return { lines, checkpoints };
}

export function writeTestBundle(folder: string, log: TestLog, frame: Partial<Pick<BundleFrame, 'cosignatures'>> & { keys?: Partial<BundleFrame['keys']> } = {}): void {
  const writer = new BundleWriter(folder);
  writer.append(Buffer.from(log.lines.join('')), log.lines.length);
  const checkpoint = log.checkpoints.get(log.lines.length);
  if (checkpoint === undefined) throw new Error('The log has no checkpoint at its end');
  writer.finish({
    manifest: { origin: testSigner.verifier.name, size: log.lines.length, exportedAt: '2024-11-24T12:00:00.000Z', baseUrl: 'http://localhost:8080' },
    checkpoint,
    earlier: [...log.checkpoints].filter(([size]) => size < log.lines.length).map(([, note]) => note),
    ...(frame.cosignatures === undefined ? {} : { cosignatures: frame.cosignatures }),
    keys: { log: [testSigner.verifier.vkey], witnesses: [], ...frame.keys },
  });
}

/** `count` events over some streams, about 600 bytes each, as a clearing house writes them. */
export function ordinaryEvents(count: number, { streams = Math.max(1, Math.floor(count / 8)) } = {}): RecordedEvent[] {
  const revisions = new Map<string, number>();
  return Array.from({ length: count }, (_, index) => {
    const stream = `takedown-${uuid(index % streams)}`;
    const revision = revisions.get(stream) ?? 0;
    revisions.set(stream, revision + 1);
    return {
      stream, revision, id: uuid(1_000_000 + index), type: revision === 0 ? 'TakedownOpened' : 'OrderDeliveryFailed',
      data: { orderId: `${uuid(index % streams)}.1`, webhookId: uuid(index), attempt: revision, side: 'platform', cause: 'timeout', note: 'The endpoint did not answer within the time that it is given for it' },
      metadata: {
        at: new Date(Date.UTC(2024, 10, 24) + index * 250).toISOString(), by: { organisation: 'sejam', holder: 'system:routing' },
        causationId: `delivery:${uuid(index)}/${revision}`, correlationId: uuid(index), traceparent: `00-${'0'.repeat(24)}${String(index).padStart(8, '0')}-${'1'.repeat(16)}-01`,
      },
    };
  });
}

function uuid(value: number): string {
  return `0193be00-0000-7000-8000-${value.toString(16).padStart(12, '0')}`;
}
