import { randomUUID } from 'node:crypto';
import { CorruptRecord } from '../record/faults.js';
import type { EventRecord } from '../record/event-record.js';
import type { StoredEvent } from '../record/stored-event.js';
import type { GrpcCall } from '../wire/grpc-call.js';
import { Code, RpcError } from '../wire/status.js';
import { framedEvents, readAnswers, readEvent, type Resolved } from './read-answers.js';
import { readReadRequest, type EventFilter, type ReadRequest } from './read-request.js';

const PAGE_EVENTS = 256;
const LINK_TYPE = '$>';

/** Streams/Read: reads and subscriptions, of a stream or of everything. */
export function read(record: EventRecord): (call: GrpcCall) => Promise<void> {
  return async (call) => {
    const request = readReadRequest(await call.single());
    const answer = new ReadAnswer(record, call, request);
    try {
      if (request.count === undefined) {
        await (request.stream === undefined ? subscribeToAll(record, call, request, answer) : subscribeToStream(record, call, request, request.stream, answer));
        return;
      }
      if (request.stream === undefined) await readAll(record, call, request, request.count, answer);
      else await readStream(record, call, request, request.stream, request.count, answer);
      call.end();
    } catch (error) {
      if (!(error instanceof CorruptRecord)) throw error;
      record.reportDamage(error);
      throw new RpcError(Code.dataLoss, error.message);
    }
  };
}

/** Puts events on the wire in the form that was asked for. */
class ReadAnswer {
  constructor(
    private readonly record: EventRecord,
    private readonly call: GrpcCall,
    private readonly request: ReadRequest,
  ) {}

  /** Resolves when the client has room for more. */
  async send(events: readonly StoredEvent[]): Promise<void> {
    const { resolveLinks, structuredIds } = this.request;
    if (events.length === 0) return;
    if (!structuredIds && !(resolveLinks && events.some((event) => event.type === LINK_TYPE))) this.call.sendFramed(framedEvents(events));
    else for (const event of events) this.call.send(readEvent(resolveLinks ? await this.resolve(event) : { event, link: undefined }, structuredIds));
    await this.call.drained();
  }

  /** A link to an event that does not exist is sent without one, as the original server does. */
  private async resolve(event: StoredEvent): Promise<Resolved> {
    if (event.type !== LINK_TYPE) return { event, link: undefined };
    const target = /^(\d+)@(.+)$/s.exec(event.dataText);
    const revision = Number(target?.[1] ?? -1);
    const stream = target?.[2] ?? '';
    if (revision < 0 || revision > this.record.head(stream)) return { event: undefined, link: event };
    return { event: (await this.record.readRevisions(stream, revision, revision))[0], link: event };
  }
}

async function readStream(record: EventRecord, call: GrpcCall, { from, backwards, compatibility }: ReadRequest, stream: string, count: number, answer: ReadAnswer): Promise<void> {
  const head = record.head(stream);
  if (head < 0) {
    call.send(readAnswers.streamNotFound(stream));
    return;
  }
  let left = count;
  if (backwards) {
    let last = Math.min(from === 'start' ? 0 : from === 'end' ? head : from, head);
    while (left > 0 && last >= 0 && !call.signal.aborted) {
      const first = Math.max(0, last - Math.min(left, PAGE_EVENTS) + 1);
      await answer.send((await record.readRevisions(stream, first, last)).reverse());
      left -= last - first + 1;
      last = first - 1;
    }
  } else {
    let first = from === 'start' ? 0 : from === 'end' ? head + 1 : from;
    while (left > 0 && first <= head && !call.signal.aborted) {
      const last = Math.min(head, first + Math.min(left, PAGE_EVENTS) - 1);
      await answer.send(await record.readRevisions(stream, first, last));
      left -= last - first + 1;
      first = last + 1;
    }
  }
  if (compatibility >= 1) call.send(readAnswers.lastStreamPosition(head));
}

async function readAll(record: EventRecord, call: GrpcCall, { from, backwards, filter }: ReadRequest, count: number, answer: ReadAnswer): Promise<void> {
  // What is appended while the read runs is not part of it; otherwise a read of a busy record would never end.
  const end = record.log.end;
  let left = count;
  if (backwards) {
    let at = from === 'start' ? record.log.start : from === 'end' ? end : await record.log.align(Math.min(from, end));
    while (left > 0 && at > record.log.start && !call.signal.aborted) {
      const events = await record.log.readBackwards(at, filter ? PAGE_EVENTS : Math.min(left, PAGE_EVENTS));
      if (events.length === 0) return;
      at = events.at(-1)!.position;
      const chosen = choose(events, filter).slice(0, left);
      left -= chosen.length;
      await answer.send(chosen);
    }
    return;
  }
  let at = from === 'start' ? record.log.start : from === 'end' ? end : await record.log.align(from);
  while (left > 0 && at < end && !call.signal.aborted) {
    const page = await record.log.readForwards(at, left < 64 && !filter ? 65_536 : undefined);
    const events = page.at(-1)!.position < end ? page : page.filter((event) => event.position < end);
    at = page.at(-1)!.end;
    const chosen = choose(events, filter);
    const wanted = chosen.length > left ? chosen.slice(0, left) : chosen;
    left -= wanted.length;
    await answer.send(wanted);
  }
}

function choose(events: readonly StoredEvent[], filter: EventFilter | undefined): readonly StoredEvent[] {
  if (!filter) return events;
  return filter.by === 'stream' ? events.filter((event) => filter.matches(event.stream)) : events.filter((event) => filter.matches(event.type));
}

/**
 * A subscription has no queue of its own: it has a place in the record and reads on from there when the client has room. A slow one
 * stays behind and costs nothing but its place; an idle one waits to be woken.
 */
async function subscribeToAll(record: EventRecord, call: GrpcCall, request: ReadRequest, answer: ReadAnswer): Promise<void> {
  const { from, filter, checkpointInterval } = request;
  const isFromEnd = from === 'end' || (from !== 'start' && from >= record.log.end);
  call.send(readAnswers.confirmation(randomUUID()));
  let at = from === 'start' ? record.log.start : isFromEnd ? record.log.end : await record.log.behind(from);
  // A position that no event has yet: what comes up to it was not asked for.
  const after = from === 'start' || from === 'end' ? -1 : from;
  let considered = 0;
  let told = -1;
  let last = -1;
  let wasBehind = !isFromEnd;
  const checkpoint = (position: number) => {
    considered = 0;
    if (position <= told) return;
    told = position;
    call.send(readAnswers.checkpoint(position));
  };
  if (isFromEnd) call.send(readAnswers.caughtUp());
  while (!call.signal.aborted) {
    if (at >= record.log.end) {
      if (wasBehind) {
        wasBehind = false;
        if (filter && last >= 0) checkpoint(last);
        call.send(readAnswers.caughtUp());
      }
      await wait(call, (wake) => record.onceBehind(at, wake));
      continue;
    }
    const page = await record.log.readForwards(at);
    for (let start = 0; start < page.length && !call.signal.aborted; ) {
      // A page is cut where a checkpoint is due, so that it stands behind exactly the events it covers.
      const size = filter ? Math.min(page.length - start, checkpointInterval - considered) : page.length - start;
      const events = (start === 0 && size === page.length ? page : page.slice(start, start + size)).filter((event) => event.position > after);
      start += size;
      await answer.send(choose(events, filter));
      if (!filter) continue;
      considered += size;
      last = page[start - 1]!.position;
      if (considered >= checkpointInterval) checkpoint(last);
    }
    at = page.at(-1)!.end;
    last = page.at(-1)!.position;
    if (record.log.end - at > FELL_BEHIND_BYTES) wasBehind = true;
  }
}

/** A subscription this far behind is catching up again, and says so when it has. */
const FELL_BEHIND_BYTES = 16 * 1024 * 1024;

async function subscribeToStream(record: EventRecord, call: GrpcCall, { from }: ReadRequest, stream: string, answer: ReadAnswer): Promise<void> {
  call.send(readAnswers.confirmation(randomUUID()));
  let next = from === 'start' ? 0 : from === 'end' ? record.head(stream) + 1 : from + 1;
  let wasBehind = true;
  while (!call.signal.aborted) {
    const head = record.head(stream);
    if (next > head) {
      if (wasBehind) {
        wasBehind = false;
        call.send(readAnswers.caughtUp());
      }
      await wait(call, (wake) => record.onceBehindRevision(stream, next - 1, wake));
      continue;
    }
    const last = Math.min(head, next + PAGE_EVENTS - 1);
    await answer.send(await record.readRevisions(stream, next, last));
    next = last + 1;
    if (head - last > PAGE_EVENTS) wasBehind = true;
  }
}

/** Resolves when woken or when the call has ended. */
function wait(call: GrpcCall, arm: (wake: () => void) => () => void): Promise<void> {
  return new Promise((resolve) => {
    if (call.signal.aborted) return resolve();
    const cancel = arm(() => {
      call.signal.removeEventListener('abort', stop);
      resolve();
    });
    const stop = () => {
      cancel();
      resolve();
    };
    call.signal.addEventListener('abort', stop, { once: true });
  });
}
