import { NotDurable } from './faults.js';
import type { RecordLog } from './record-log.js';
import { SEGMENT_HEAD_BYTES } from './segment.js';
import { StoredEvent, eventBytes, writeEvent, type ProposedEvent } from './stored-event.js';

const SCRATCH_BYTES = 256 * 1024;
const KEPT_SCRATCH_BYTES = 4 * 1024 * 1024;

/** Settled once the group is on disk, or has failed. */
export interface Settled {
  onDurable(): void;
  onFailed(error: NotDurable): void;
}

class Group {
  used = 0;
  readonly lengths: number[] = [];
  readonly waiting: Settled[] = [];
  constructor(public bytes: Buffer) {}

  reserve(length: number): number {
    const offset = this.used;
    if (offset + length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, offset + length));
      this.bytes.copy(larger, 0, 0, offset);
      this.bytes = larger;
    }
    this.used += length;
    this.lengths.push(length);
    return offset;
  }
}

/**
 * Everything that arrives while one flush runs goes to disk with the next one. Positions are given out at once, in order; when a flush
 * fails, its group and the one behind it are given up and their positions are used again.
 */
export class GroupCommit {
  private open: Group | undefined;
  private nextPosition: number;
  private previousLength: number;
  private running = false;
  private writing: Group | undefined;
  /** Room to gather the next group in; the group that is written has a copy of just its size, because readers keep it for a while. */
  private readonly scratch: Buffer[] = [];
  /** Size of the last file once all that has been added is written. */
  private segmentSize: number;

  constructor(
    private readonly log: RecordLog,
    private readonly onDurable: (events: StoredEvent[]) => void,
    private readonly onFailed: (error: NotDurable) => void,
  ) {
    this.nextPosition = log.end;
    this.previousLength = log.lastLength;
    this.segmentSize = log.segmentSize;
  }

  /** Bytes that wait for a flush which has not begun. */
  get waitingBytes(): number {
    return this.open?.used ?? 0;
  }

  /** Adds the events of one append; returns their positions. */
  add(stream: string, firstRevision: number, events: readonly ProposedEvent[], createdMs: number, settled: Settled): number[] {
    const group = (this.open ??= this.beginGroup());
    const streamBytes = Buffer.byteLength(stream);
    const positions: number[] = [];
    for (const [index, event] of events.entries()) {
      const place = {
        stream,
        streamBytes,
        revision: firstRevision + index,
        position: this.nextPosition,
        previousLength: this.previousLength,
        following: events.length - 1 - index,
        createdMs,
      };
      const length = eventBytes(event, place);
      const offset = group.reserve(length);
      writeEvent(group.bytes, offset, length, event, place);
      positions.push(place.position);
      this.nextPosition += length;
      this.previousLength = length;
      this.segmentSize += length;
    }
    group.waiting.push(settled);
    this.start();
    return positions;
  }

  /** Called when everything added so far is durable, or failed. */
  whenSettled(settled: Settled): void {
    if (this.open) this.open.waiting.push(settled);
    else if (this.writing) this.writing.waiting.push(settled);
    else settled.onDurable();
  }

  /** Resolves when nothing waits for a flush any more. */
  idle(): Promise<void> {
    return new Promise((resolve) => this.whenSettled({ onDurable: resolve, onFailed: () => resolve() }));
  }

  private beginGroup(): Group {
    // A group lies in one file. The head of a new file takes up positions: that is how the log sees that one begins.
    if (this.segmentSize >= this.log.segmentBytes) {
      this.nextPosition += SEGMENT_HEAD_BYTES;
      this.segmentSize = SEGMENT_HEAD_BYTES;
    }
    return new Group(this.scratch.pop() ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES));
  }

  private start(): void {
    if (this.running) return;
    this.running = true;
    // Requests that are read in this turn of the event loop share the first flush.
    setImmediate(() => void this.run());
  }

  private async run(): Promise<void> {
    while (this.open) {
      const group = this.open;
      this.open = undefined;
      this.writing = group;
      const bytes = Buffer.allocUnsafeSlow(group.used);
      group.bytes.copy(bytes, 0, 0, group.used);
      if (group.bytes.length <= KEPT_SCRATCH_BYTES) this.scratch.push(group.bytes);
      const events: StoredEvent[] = [];
      let offset = 0;
      for (const length of group.lengths) {
        events.push(new StoredEvent(bytes, offset, length));
        offset += length;
      }
      try {
        await this.log.append(bytes, events);
      } catch (error) {
        this.giveUp(group, new NotDurable(error as Error));
        continue;
      }
      this.writing = undefined;
      this.onDurable(events);
      for (const settled of group.waiting) settled.onDurable();
    }
    this.running = false;
  }

  private giveUp(group: Group, error: NotDurable): void {
    const behind = this.open as Group | undefined;
    this.open = undefined;
    this.writing = undefined;
    this.nextPosition = this.log.end;
    this.previousLength = this.log.lastLength;
    this.segmentSize = this.log.segmentSize;
    this.onFailed(error);
    for (const settled of [...group.waiting, ...(behind?.waiting ?? [])]) settled.onFailed(error);
  }
}
