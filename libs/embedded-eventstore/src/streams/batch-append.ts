import type { EventRecord, Expected } from '../record/event-record.js';
import type { ProposedEvent } from '../record/stored-event.js';
import type { GrpcCall } from '../wire/grpc-call.js';
import { Code, RpcError } from '../wire/status.js';
import type { AppendLimits } from './append.js';
import { batchFailure, failures, framedBatchSuccess, type BatchFailure } from './append-answers.js';
import { peekBatchRequest, readBatchRequest, type BatchOptions } from './append-request.js';
import { checkStreamName, countedBytes, removingMetadata } from './append-rules.js';

/** An append of which no further fragment comes is given up, whatever its deadline: it holds memory. */
const MAX_GATHERING_MS = 30_000;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

/** An append of which not all fragments have come. */
interface Gathering {
  readonly options: BatchOptions;
  readonly events: ProposedEvent[];
  bytes: number;
  readonly timer: NodeJS.Timeout | undefined;
}

/**
 * Streams/BatchAppend: any number of appends over one call, each in one or more fragments of the same correlation id, each answered
 * exactly once. Clients keep one such call open for as long as they live.
 */
export function batchAppend(record: EventRecord, limits: AppendLimits): (call: GrpcCall) => void {
  return (call) => {
    const gathering = new Map<string, Gathering>();
    let unanswered = 0;
    let isClosing = false;
    let paused = false;

    const endWhenAnswered = () => {
      if (isClosing && unanswered === 0) call.end();
    };
    const refuse = (correlationId: string, about: { stream: string; expected?: Expected }, failure: BatchFailure) => call.send(batchFailure(correlationId, about, failure));
    const holdBack = () => {
      if (paused || (record.waitingBytes <= MAX_WAITING_BYTES && call.backlogBytes <= MAX_BACKLOG_BYTES)) return;
      paused = true;
      call.pauseReceiving(true);
      const goOn = () => {
        paused = false;
        call.pauseReceiving(false);
      };
      if (record.waitingBytes > MAX_WAITING_BYTES) record.onceSettled(goOn);
      else void call.drained().then(goOn);
    };
    const forget = (correlationId: string) => {
      clearTimeout(gathering.get(correlationId)?.timer);
      gathering.delete(correlationId);
    };

    const take = (correlationId: string, { options, events }: Gathering) => {
      const refusal = removingMetadata(options.stream, events);
      if (refusal !== undefined) {
        limits.log(`${refusal}.`);
        refuse(correlationId, options, failures.accessDenied(refusal));
        return;
      }
      unanswered += 1;
      record.append(
        options.stream,
        options.expected,
        events,
        (outcome) => {
          unanswered -= 1;
          if (outcome.kind === 'appended') call.sendFramed(framedBatchSuccess(correlationId, options, outcome));
          else refuse(correlationId, options, failures.wrongExpectedVersion(outcome, options.expected));
          endWhenAnswered();
        },
        (error) => {
          unanswered -= 1;
          refuse(correlationId, options, failures.notDurable(error.message));
          endWhenAnswered();
        },
      );
      holdBack();
    };

    const receive = (message: Buffer) => {
      const nowMs = Date.now();
      const { correlationId, options, events, isFinal } = readBatchRequest(message, nowMs);
      if (options && !gathering.has(correlationId)) {
        const { stream, deadlineMs } = options;
        checkStreamName(stream);
        if (deadlineMs !== undefined && deadlineMs <= nowMs) {
          refuse(correlationId, options, failures.timeout());
          return;
        }
        const waitMs = Math.min((deadlineMs ?? Number.POSITIVE_INFINITY) - nowMs, MAX_GATHERING_MS);
        const timer = isFinal ? undefined : setTimeout(() => {
          gathering.delete(correlationId);
          refuse(correlationId, options, failures.timeout());
        }, waitMs).unref();
        gathering.set(correlationId, { options, events: [], bytes: 0, timer });
      }
      const gathered = gathering.get(correlationId);
      // The rest of an append that has been answered already.
      if (!gathered) return;
      for (const event of events) {
        gathered.bytes += countedBytes(event);
        gathered.events.push(event);
      }
      if (gathered.bytes > limits.maxAppendBytes) {
        forget(correlationId);
        refuse(correlationId, gathered.options, failures.maximumAppendSize(limits.maxAppendBytes));
        return;
      }
      if (!isFinal) return;
      forget(correlationId);
      take(correlationId, gathered);
    };

    call.signal.addEventListener('abort', () => {
      for (const { timer } of gathering.values()) clearTimeout(timer);
      gathering.clear();
    }, { once: true });
    call.receive(
      (message) => {
        try {
          receive(message);
        } catch (error) {
          const { correlationId, stream } = peekBatchRequest(message);
          const about = gathering.get(correlationId)?.options ?? (stream === undefined ? undefined : { stream });
          // The rest of an append that has been answered already.
          if (!about) return;
          forget(correlationId);
          const isDenied = error instanceof RpcError && error.code === Code.permissionDenied;
          refuse(correlationId, about, isDenied ? failures.accessDenied(error.message) : failures.badRequest((error as Error).message));
        }
      },
      () => {
        isClosing = true;
        endWhenAnswered();
      },
    );
  };
}
