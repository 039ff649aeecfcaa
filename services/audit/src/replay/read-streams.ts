import { join } from 'node:path';
import type { AnswerProofs } from '../bundle/answer-proof.js';
import { BUNDLE_FILES, readLines, type Bundle } from '../bundle/bundle.js';
import { parseEventLine } from '../bundle/event-line.js';
import type { StreamEvent } from '../verdict/stream-event.js';

/**
 * The events of a bundle by stream, for the streams whose names begin with one of `prefixes`. With `proofs` each answer among them bears what its
 * signature proves; without, what the record says of it. Throws LineMalformed.
 */
export function readStreams(
  bundle: Bundle, prefixes: readonly string[], onProgress: (share: number, events: number) => void = () => {}, proofs?: AnswerProofs,
): Map<string, StreamEvent[]> {
  const streams = new Map<string, StreamEvent[]>();
  let count = 0;
  readLines(join(bundle.folder, BUNDLE_FILES.events), (bytes) => {
    const line = parseEventLine(bytes);
    const { event, metadata } = line;
    count += 1;
    proofs?.learn(line);
    if (!prefixes.some((prefix) => event.stream.startsWith(prefix))) return;
    const proof = proofs === undefined ? metadata['proof'] : proofs.judge(line)?.proof;
    const read: StreamEvent = {
      id: event.id, type: event.type, revision: event.revision, at: String(metadata.at),
      ...(isActor(metadata['by']) ? { by: metadata['by'] } : {}),
      ...(typeof proof === 'string' ? { proof } : {}),
      data: JSON.parse(event.data.toString()) as Record<string, unknown>,
    };
    const stream = streams.get(event.stream);
    if (stream === undefined) streams.set(event.stream, [read]);
    else stream.push(read);
  }, (share) => onProgress(share, count));
  return streams;
}

function isActor(value: unknown): value is { organisation: string; holder: string } {
  return typeof value === 'object' && value !== null && 'organisation' in value && 'holder' in value;
}
