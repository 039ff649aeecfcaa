import type { ProposedEvent } from '../record/stored-event.js';
import { accessDenied, invalidArgument } from '../wire/status.js';

const REMOVING = ['$maxCount', '$maxAge', '$tb'] as const;
const MAX_STREAM_NAME_BYTES = 16_384;

/** The size EventStoreDB counts: data, metadata, and two bytes per character of the type. */
export function countedBytes(event: ProposedEvent): number {
  return event.data.length + event.metadata.length + event.type.length * 2;
}

/** Refuses names that no stream can have. */
export function checkStreamName(stream: string): void {
  if (stream === '' || stream === '$$') throw invalidArgument(`${JSON.stringify(stream)} is not the name of a stream.`);
  if (stream === '$all') throw accessDenied('$all is every event in order; nothing can be appended to it.');
  if (Buffer.byteLength(stream) > MAX_STREAM_NAME_BYTES) throw invalidArgument(`The name of a stream may have ${MAX_STREAM_NAME_BYTES} bytes.`);
}

/**
 * Why these events may not be appended, undefined when they may: stream metadata with `$maxCount`, `$maxAge` or `$tb` would remove
 * events, and this is an append-only record. Other metadata is kept as what it is, an event.
 */
export function removingMetadata(stream: string, events: readonly ProposedEvent[]): string | undefined {
  if (!stream.startsWith('$$')) return undefined;
  for (const event of events) {
    let metadata: unknown;
    try {
      metadata = JSON.parse(event.data.toString('utf8'));
    } catch {
      continue;
    }
    if (typeof metadata !== 'object' || metadata === null) continue;
    const found = REMOVING.filter((name) => name in metadata);
    if (found.length > 0) return `Metadata of stream ${stream.slice(2)} with ${found.join(', ')} was refused: it would remove events, and this record is append-only`;
  }
  return undefined;
}
