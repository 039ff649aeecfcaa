import { join } from 'node:path';
import { CorruptRecord, FolderInUse } from './record/faults.js';
import { FolderLock } from './record/folder-lock.js';
import { RecordLog } from './record/record-log.js';
import { StreamIndex } from './record/stream-index.js';

export interface CheckedRecord {
  readonly events: number;
  readonly streams: number;
  /** The last revision of each stream. */
  readonly heads: ReadonlyMap<string, number>;
  /** The end of what was checked. */
  readonly position: number;
  /** False when a server owns the folder: then the index is its own. */
  readonly indexChecked: boolean;
}

/** Told now and then of how many bytes are done. */
export type Progress = (done: number, of: number) => void;

/**
 * Reads the whole record and checks every checksum, position, revision and time, and that every append is whole; when no server owns
 * the folder also that the index agrees with it. Changes nothing. Throws CorruptRecord at the first fault.
 */
export async function checkRecord(dataFolder: string, progress: Progress = () => undefined): Promise<CheckedRecord> {
  const log = RecordLog.openReadOnly(join(dataFolder, 'record'));
  let lock: FolderLock | undefined;
  let index: StreamIndex | undefined;
  try {
    lock = await takeIfFree(dataFolder);
    index = lock && StreamIndex.openExisting(join(dataFolder, 'index'));
    const heads = new Map<string, number>();
    let events = 0;
    let following = 0;
    await log.check(log.start, log.end, (page) => {
      for (const event of page) {
        const stream = event.stream;
        const expected = (heads.get(stream) ?? -1) + 1;
        if (event.revision !== expected) throw new CorruptRecord(`The event at position ${event.position} is revision ${event.revision} of ${stream}, where ${expected} follows`);
        if (following > 0 && event.following !== following - 1) throw new CorruptRecord(`The append before position ${event.position} is not whole`);
        following = event.following;
        heads.set(stream, expected);
        events += 1;
      }
      progress(page.at(-1)!.end, log.end);
    });
    if (following > 0) throw new CorruptRecord('The last append is not whole');
    if (index) checkIndex(index, heads, events);
    return { events, streams: heads.size, heads, position: log.end, indexChecked: index !== undefined };
  } finally {
    await index?.close();
    log.close();
    lock?.release();
  }
}

/** The index may lie behind the record, never ahead of it, and what it knows must be so. */
function checkIndex(index: StreamIndex, heads: ReadonlyMap<string, number>, events: number): void {
  if (index.size > events) throw new CorruptRecord(`The index knows ${index.size} events, the record holds ${events}`);
  for (const [stream, head] of heads) {
    const indexed = index.head(stream);
    if (indexed > head) throw new CorruptRecord(`The index says that ${stream} is at revision ${indexed}, the record says ${head}`);
    if (indexed >= 0) index.positions(stream, 0, indexed);
  }
}

async function takeIfFree(folder: string): Promise<FolderLock | undefined> {
  try {
    return await FolderLock.take(folder);
  } catch (error) {
    if (error instanceof FolderInUse) return undefined;
    throw error;
  }
}
