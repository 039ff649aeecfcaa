import { join } from 'node:path';
import { CorruptRecord, NotDurable } from './faults.js';
import { FolderLock } from './folder-lock.js';
import { GroupCommit } from './group-commit.js';
import { RecentIds } from './recent-ids.js';
import { RecordLog } from './record-log.js';
import { StreamIndex } from './stream-index.js';
import type { ProposedEvent, StoredEvent } from './stored-event.js';

/** Events of a stream that lie closer than this are read together. */
const RUN_GAP_BYTES = 16_384;
const RUN_READ_BYTES = 131_072;
const CHECKED_AT_START_BYTES = 256 * 1024 * 1024;
const INDEX_LAG = 50_000;

export type Expected = number | 'no-stream' | 'any' | 'stream-exists';

export type AppendOutcome =
  | { readonly kind: 'appended'; readonly revision: number; readonly position: number | undefined }
  /** `current` is the stream's last revision, -1 when it does not exist. */
  | { readonly kind: 'wrong-expected-version'; readonly current: number };

/** Appends of one stream that are not durable yet. */
interface InFlight {
  head: number;
  appends: number;
  readonly events: { readonly revision: number; readonly id: string; readonly position: number }[];
}

export interface EventRecordOptions {
  readonly folder: string;
  readonly segmentBytes: number;
  /** Events behind which the index, which is not waited for, may lie at most; a start after a crash reads them again. Default 50 000. */
  readonly indexLag?: number;
  readonly log: (message: string) => void;
}

/**
 * The append-only record of one data folder: decides appends, reads what is durable, and wakes who waits for more. It knows nothing of
 * gRPC.
 */
export class EventRecord {
  private readonly inFlight = new Map<string, InFlight>();
  private readonly recentIds = new RecentIds();
  private readonly commit: GroupCommit;
  private createdMs: number;
  /** How often a flush has failed; what was decided before a failure is void. */
  private failures = 0;
  /** The last write has failed. */
  private isRefusing = false;
  private allWaiters = new Set<() => void>();
  private readonly streamWaiters = new Map<string, Set<() => void>>();
  private settleWaiters: (() => void)[] = [];
  private foundDamage: CorruptRecord | undefined;
  private closed = false;
  private background: Promise<void> = Promise.resolve();

  private constructor(
    private readonly lock: FolderLock,
    readonly log: RecordLog,
    readonly index: StreamIndex,
    private readonly say: (message: string) => void,
  ) {
    this.createdMs = log.createdMs;
    this.commit = new GroupCommit(
      log,
      (events) => this.becameDurable(events),
      (error) => {
        if (!this.isRefusing) this.say(`${error.message}. Appends are refused until the disk takes them again; reads go on.`);
        this.isRefusing = true;
        this.failures += 1;
        this.inFlight.clear();
        this.recentIds.forgetFrom(this.log.end);
        this.wakeSettled();
      },
    );
  }

  static async open(options: EventRecordOptions): Promise<EventRecord> {
    const lock = await FolderLock.take(options.folder);
    let index: StreamIndex | undefined;
    try {
      const opened = (index = StreamIndex.open(join(options.folder, 'index'), options.indexLag ?? INDEX_LAG, options.log));
      let checkedFrom = 0;
      const log = await RecordLog.open(
        { folder: join(options.folder, 'record'), segmentBytes: options.segmentBytes, log: options.log },
        (recordId) => {
          const checkpoint = opened.checkpointOf(recordId);
          checkedFrom = checkpoint.position;
          return checkpoint;
        },
        (events) => opened.replay(events),
      );
      const record = new EventRecord(lock, log, opened, options.log);
      await record.checkOldEvents(checkedFrom);
      return record;
    } catch (error) {
      await index?.close();
      lock.release();
      throw error;
    }
  }

  /** What is wrong with the files, once something has been found; from then on nothing is appended. */
  get damage(): CorruptRecord | undefined {
    return this.foundDamage;
  }

  /** Takes note of damage met while reading. What is whole can still be read, so that it can be saved. */
  reportDamage(error: CorruptRecord): void {
    if (!this.foundDamage) this.say(`${error.message}. Nothing is appended any more; restore a backup.`);
    this.foundDamage ??= error;
  }

  /** Bytes of appends that wait for the disk; whoever takes requests should hold back when it grows. */
  get waitingBytes(): number {
    return this.commit.waitingBytes;
  }

  /**
   * Decides at once and calls back when the outcome is durable; appends are decided in the order of the calls. An append that is a
   * repetition of what the stream holds at `expected` is answered as it was the first time. Rules as in EventStoreDB's `CheckCommit`.
   */
  append(stream: string, expected: Expected, events: readonly ProposedEvent[], done: (outcome: AppendOutcome) => void, failed: (error: NotDurable) => void): void {
    if (this.foundDamage) return failed(new NotDurable(this.foundDamage));
    const flying = this.inFlight.get(stream);
    let head: number;
    try {
      head = flying ? flying.head : this.index.head(stream);
    } catch (error) {
      this.reportDamage(error as CorruptRecord);
      return failed(new NotDurable(error as Error));
    }
    const failuresBefore = this.failures;
    const answer = (outcome: AppendOutcome) => {
      if (this.failures !== failuresBefore) return failed(new NotDurable(new Error('a write that this append depends on has failed')));
      // What was decided on events that are not durable yet must not be told before they are.
      if (flying || (outcome.kind === 'appended' && outcome.position !== undefined && outcome.position >= this.log.end)) {
        this.commit.whenSettled({ onDurable: () => done(outcome), onFailed: failed });
      } else done(outcome);
    };

    if (expected === 'any' || expected === 'stream-exists') {
      if (expected === 'stream-exists' && head < 0 && this.currentHead(`$$${stream}`) < 0) return answer({ kind: 'wrong-expected-version', current: head });
      const first = events[0] && this.recentIds.get(stream, events[0].id);
      if (first) {
        const all = events.map((event) => this.recentIds.get(stream, event.id));
        const last = all.at(-1);
        if (last && !all.includes(undefined)) return answer({ kind: 'appended', revision: last.revision, position: last.position });
        return answer({ kind: 'wrong-expected-version', current: head });
      }
    } else {
      const expectedRevision = expected === 'no-stream' ? -1 : expected;
      if (expectedRevision > head) return answer({ kind: 'wrong-expected-version', current: head });
      if (expectedRevision < head) {
        void this.repetition(stream, expectedRevision, events, flying).then(
          (last) => answer(last ? { kind: 'appended', ...last } : { kind: 'wrong-expected-version', current: head }),
          (error: unknown) => {
            if (error instanceof CorruptRecord) this.reportDamage(error);
            failed(new NotDurable(error as Error));
          },
        );
        return;
      }
    }
    if (events.length === 0) return answer({ kind: 'appended', revision: head, position: undefined });
    this.add(stream, head, events, flying, done, failed);
  }

  /** Last revision of a stream as readers see it, -1 when it does not exist. */
  head(stream: string): number {
    return this.index.head(stream);
  }

  /** Events of a stream, `from` to `to` inclusive, both existing. */
  async readRevisions(stream: string, from: number, to: number): Promise<StoredEvent[]> {
    const events = (await Promise.all(runsOf(this.index.positions(stream, from, to)).map((run) => this.readRun(run)))).flat();
    for (const [index, event] of events.entries()) {
      if (event.revision !== from + index || event.stream !== stream) throw new CorruptRecord(`The index has another event than revision ${from + index} of ${stream}; remove the folder \`index\` and it is made anew from the record`);
    }
    return events;
  }

  /** Calls `wake` once, when there are events behind `position`. Returns how to give up waiting. */
  onceBehind(position: number, wake: () => void): () => void {
    if (this.log.end > position) {
      queueMicrotask(wake);
      return () => undefined;
    }
    this.allWaiters.add(wake);
    return () => this.allWaiters.delete(wake);
  }

  /** Calls `wake` once, when the stream has a revision behind `revision`. */
  onceBehindRevision(stream: string, revision: number, wake: () => void): () => void {
    if (this.index.head(stream) > revision) {
      queueMicrotask(wake);
      return () => undefined;
    }
    const waiters = this.streamWaiters.get(stream) ?? new Set();
    this.streamWaiters.set(stream, waiters.add(wake));
    return () => {
      waiters.delete(wake);
      if (waiters.size === 0 && this.streamWaiters.get(stream) === waiters) this.streamWaiters.delete(stream);
    };
  }

  /** Calls back once, after the flush that is running or comes next. */
  onceSettled(wake: () => void): void {
    this.settleWaiters.push(wake);
  }

  /** Resolves when everything appended so far is durable, or has failed. */
  settled(): Promise<void> {
    return this.commit.idle();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.background;
    await this.commit.idle();
    await this.index.close();
    this.log.close();
    this.lock.release();
  }

  /**
   * Events that an earlier run had indexed are checked too: the newest before the start, which a damage there prevents, and the rest
   * in the background, which stops appending when it finds one.
   */
  private async checkOldEvents(to: number): Promise<void> {
    const from = to <= CHECKED_AT_START_BYTES ? this.log.start : await this.log.align(to - CHECKED_AT_START_BYTES);
    await this.log.check(from, to, () => undefined);
    if (from > this.log.start) this.background = this.checkInBackground(from);
  }

  private async checkInBackground(to: number): Promise<void> {
    try {
      for (let at = this.log.start; at < to && !this.closed; ) {
        const events = await this.log.readForwards(at, 1024 * 1024);
        at = events.at(-1)!.end;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } catch (error) {
      if (error instanceof CorruptRecord) this.reportDamage(error);
      else this.say(`The check of old events has ended: ${(error as Error).message}`);
    }
  }

  /** Events at these positions, which lie close together. */
  private async readRun(positions: readonly number[]): Promise<StoredEvent[]> {
    if (positions.length === 1) return [await this.log.readAt(positions[0]!)];
    const events: StoredEvent[] = [];
    let nearby: StoredEvent[] = [];
    let cursor = 0;
    for (const position of positions) {
      while (cursor < nearby.length && nearby[cursor]!.position < position) cursor += 1;
      if (nearby[cursor]?.position !== position) {
        nearby = await this.log.readForwards(position, RUN_READ_BYTES);
        cursor = 0;
      }
      const event = nearby[cursor];
      if (event?.position !== position) throw new CorruptRecord(`There is no event at position ${position}, where the index has one; remove the folder \`index\` and it is made anew from the record`);
      events.push(event);
    }
    return events;
  }

  private add(stream: string, head: number, events: readonly ProposedEvent[], known: InFlight | undefined, done: (outcome: AppendOutcome) => void, failed: (error: NotDurable) => void): void {
    this.createdMs = Math.max(this.createdMs, Date.now());
    const flying = known ?? { head, appends: 0, events: [] };
    if (!known) this.inFlight.set(stream, flying);
    flying.appends += 1;
    const positions = this.commit.add(stream, head + 1, events, this.createdMs, {
      onDurable: () => {
        flying.appends -= 1;
        flying.events.splice(0, events.length);
        if (flying.appends === 0 && this.inFlight.get(stream) === flying) this.inFlight.delete(stream);
        done({ kind: 'appended', revision: head + events.length, position: positions.at(-1)! });
      },
      onFailed: failed,
    });
    for (const [index, event] of events.entries()) {
      const revision = head + 1 + index;
      const position = positions[index]!;
      flying.events.push({ revision, id: event.id, position });
      this.recentIds.add(event.id, { stream, revision, position });
    }
    flying.head = head + events.length;
  }

  /** Whether `events` are what the stream holds behind `expected`; then the place of the last of them. */
  private async repetition(stream: string, expected: number, events: readonly ProposedEvent[], flying: InFlight | undefined): Promise<{ revision: number; position: number } | undefined> {
    if (events.length === 0) return undefined;
    let place: { revision: number; position: number } | undefined;
    for (const [index, event] of events.entries()) {
      const revision = expected + 1 + index;
      const held = flying?.events.find((candidate) => candidate.revision === revision) ?? (await this.durableAt(stream, revision));
      if (held?.id !== event.id) return undefined;
      place = { revision, position: held.position };
    }
    return place;
  }

  private async durableAt(stream: string, revision: number): Promise<StoredEvent | undefined> {
    return revision <= this.index.head(stream) ? (await this.readRevisions(stream, revision, revision))[0] : undefined;
  }

  private currentHead(stream: string): number {
    return this.inFlight.get(stream)?.head ?? this.index.head(stream);
  }

  private becameDurable(events: StoredEvent[]): void {
    if (this.isRefusing) this.say('The disk takes appends again.');
    this.isRefusing = false;
    this.index.add(events);
    const waiters = this.allWaiters;
    if (waiters.size > 0) {
      this.allWaiters = new Set();
      for (const wake of waiters) wake();
    }
    if (this.streamWaiters.size > 0) {
      for (const event of events) {
        const stream = event.stream;
        const waiting = this.streamWaiters.get(stream);
        if (!waiting) continue;
        this.streamWaiters.delete(stream);
        for (const wake of waiting) wake();
      }
    }
    this.wakeSettled();
  }

  private wakeSettled(): void {
    const waiters = this.settleWaiters;
    if (waiters.length === 0) return;
    this.settleWaiters = [];
    for (const wake of waiters) setImmediate(wake);
  }
}

/** Cuts rising positions into runs that lie close together. */
function runsOf(positions: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const [index, position] of positions.entries()) {
    if (index > 0 && position - positions[index - 1]! < RUN_GAP_BYTES) runs.at(-1)!.push(position);
    else runs.push([position]);
  }
  return runs;
}
