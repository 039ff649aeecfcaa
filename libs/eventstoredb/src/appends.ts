import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import emptyMessage from 'google-protobuf/google/protobuf/empty_pb.js';
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { DomainError, StoreUnavailable, VersionConflict, type AppendResult, type NewEvent } from '@sejam/event-sourcing';
import { v4 } from 'uuid';
import { abandon, type Connection } from './connection.js';
import { fromUuid, toProposal, toStreamIdentifier, toUuid } from './event-codec.js';
import { asStoreFault } from './store-faults.js';

/** Far below what a server takes in one message (4 MiB), so that a large append goes in several. */
const frameBytes = 1024 * 1024;

type Expected = number | 'no-stream' | 'any';

interface Waiting {
  readonly stream: string;
  readonly expected: Expected;
  readonly sentAt: number;
  resolve(result: AppendResult): void;
  reject(error: unknown): void;
}

/** One call that carries all appends; each append is answered by its correlation id. */
interface Line {
  readonly call: ClientDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>;
  readonly waiting: Map<string, Waiting>;
  answeredAt: number;
  /** Why nothing can be sent on it any more. */
  over?: unknown;
}

export interface Appends {
  append(stream: string, events: readonly NewEvent[], expected: Expected): Promise<AppendResult>;
  close(): void;
}

/**
 * Appends over one shared call. Every append settles within `timeoutMs`, whatever the server does; StoreUnavailable then means that the
 * outcome is unknown. When nothing at all has been answered for so long, the call is given up, and with it all that wait on it.
 */
export function appends(connection: Connection, timeoutMs: number): Appends {
  let current: Promise<Line> | undefined;

  return {
    async append(stream, events, expected) {
      if (events.length === 0) throw new RangeError('There is nothing to append');
      const frames = framesOf(stream, events, expected, timeoutMs);
      const deadline = performance.now() + timeoutMs;
      const line = await within(timeoutMs, lineNow(), `to open a call for an append to ${stream}`);
      if (line.over !== undefined) throw asStoreFault(line.over, `an append to ${stream}`);
      return new Promise<AppendResult>((resolve, reject) => {
        const correlationId = v4();
        const waiting: Waiting = { stream, expected, sentAt: performance.now(), resolve: settle(resolve), reject: settle(reject) };
        const timer = setTimeout(() => {
          waiting.reject(new StoreUnavailable(`The event store did not answer an append to ${stream} within ${timeoutMs} ms`));
          if (line.answeredAt < waiting.sentAt) line.call.cancel();
        }, Math.max(1, deadline - performance.now()));
        line.waiting.set(correlationId, waiting);
        for (const frame of frames) line.call.write(frame.setCorrelationId(toUuid(correlationId)));

        function settle<Outcome>(tell: (outcome: Outcome) => void): (outcome: Outcome) => void {
          return (outcome) => {
            clearTimeout(timer);
            line.waiting.delete(correlationId);
            tell(outcome);
          };
        }
      });
    },

    close() {
      void current?.then(({ call }) => call.cancel(), () => undefined);
    },
  };

  function lineNow(): Promise<Line> {
    if (current !== undefined) return current;
    const opening = openLine(connection, () => {
      if (current === opening) current = undefined;
    });
    current = opening;
    return opening;
  }
}

async function openLine(connection: Connection, whenOver: () => void): Promise<Line> {
  try {
    const call = await connection.open('append', (client, metadata, options) => client.batchAppend(metadata, options));
    const line: Line = { call, waiting: new Map(), answeredAt: -Infinity };
    const over = (reason: unknown): void => {
      line.over ??= reason;
      whenOver();
      for (const waiting of [...line.waiting.values()]) waiting.reject(asStoreFault(reason, `an append to ${waiting.stream}`));
      abandon(call);
    };
    call.on('data', (response: streams.BatchAppendResp) => {
      line.answeredAt = performance.now();
      // Nobody waits any more for what was answered too late.
      const waiting = line.waiting.get(fromUuid(response.getCorrelationId()));
      if (waiting !== undefined) answer(waiting, response);
    });
    call.on('error', over);
    call.on('end', () => over(new Error('the server ended the call')));
    return line;
  } catch (error) {
    whenOver();
    throw asStoreFault(error, 'a call for appends');
  }
}

function answer({ stream, expected, resolve, reject }: Waiting, response: streams.BatchAppendResp): void {
  const success = response.getSuccess();
  if (success !== undefined) {
    const position = success.getPosition();
    resolve({
      revision: Number(success.getCurrentRevision()),
      position: { commit: String(position?.getCommitPosition() ?? 0), prepare: String(position?.getPreparePosition() ?? 0) },
    });
    return;
  }
  const details = response.getError()?.getDetails();
  const name = details?.getTypeName();
  if (name === 'event_store.client.WrongExpectedVersion' && expected !== 'any') {
    const wrong = shared.WrongExpectedVersion.deserializeBinary(details?.getValue_asU8() ?? new Uint8Array());
    reject(new VersionConflict(stream, expected, wrong.hasCurrentStreamRevision() ? Number(wrong.getCurrentStreamRevision()) : 'no-stream'));
  } else if (name === 'event_store.client.MaximumAppendSizeExceeded') {
    reject(new DomainError('record.too-large', 'invalid', 'This is more than the record takes at once'));
  } else if (name === 'event_store.client.AccessDenied' || name === 'event_store.client.StreamDeleted') {
    reject(new Error(`The event store refuses an append to ${stream}: ${name}`));
  } else {
    reject(asStoreFault(new Error(response.getError()?.getMessage() ?? 'an answer without content'), `an append to ${stream}`));
  }
}

function framesOf(stream: string, events: readonly NewEvent[], expected: Expected, timeoutMs: number): streams.BatchAppendReq[] {
  const options = new streams.BatchAppendReq.Options();
  options.setStreamIdentifier(toStreamIdentifier(stream));
  options.setDeadline(timestamp.Timestamp.fromDate(new Date(Date.now() + timeoutMs)));
  if (expected === 'any') options.setAny(new emptyMessage.Empty());
  else if (expected === 'no-stream') options.setNoStream(new emptyMessage.Empty());
  else options.setStreamPosition(String(expected));

  let frame = new streams.BatchAppendReq().setOptions(options);
  const frames = [frame];
  let bytes = 0;
  for (const event of events) {
    const proposal = toProposal(event);
    const size = proposal.getData_asU8().length + proposal.getCustomMetadata_asU8().length;
    if (bytes > 0 && bytes + size > frameBytes) {
      frame = new streams.BatchAppendReq();
      frames.push(frame);
      bytes = 0;
    }
    bytes += size;
    frame.addProposedMessages(proposal);
  }
  frame.setIsFinal(true);
  return frames;
}

async function within<Result>(ms: number, promise: Promise<Result>, doing: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable(`The event store did not answer ${doing} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
