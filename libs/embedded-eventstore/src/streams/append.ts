import type { EventRecord } from '../record/event-record.js';
import type { ProposedEvent } from '../record/stored-event.js';
import type { GrpcCall } from '../wire/grpc-call.js';
import { Code, RpcError, accessDenied, invalidArgument, maximumAppendSizeExceeded } from '../wire/status.js';
import { appendAnswer } from './append-answers.js';
import { readAppendRequest, type AppendOptions } from './append-request.js';
import { checkStreamName, countedBytes, removingMetadata } from './append-rules.js';

export interface AppendLimits {
  /** Largest append as EventStoreDB counts it. */
  readonly maxAppendBytes: number;
  readonly log: (message: string) => void;
}

/** Streams/Append: the options, then one message per event, then one answer. */
export function append(record: EventRecord, limits: AppendLimits): (call: GrpcCall) => void {
  return (call) => {
    let options: AppendOptions | undefined;
    const events: ProposedEvent[] = [];
    let bytes = 0;
    call.receive(
      (message) => {
        const request = readAppendRequest(message);
        if (options === undefined) {
          if (!request.options) throw invalidArgument('The first message of an append carries its options.');
          checkStreamName(request.options.stream);
          options = request.options;
          return;
        }
        if (!request.event) throw invalidArgument('The options are followed by events.');
        bytes += countedBytes(request.event);
        if (bytes > limits.maxAppendBytes) throw maximumAppendSizeExceeded(limits.maxAppendBytes);
        events.push(request.event);
      },
      () => {
        if (options === undefined) throw invalidArgument('The first message of an append carries its options.');
        const { stream, expected } = options;
        const refusal = removingMetadata(stream, events);
        if (refusal !== undefined) {
          limits.log(`${refusal}.`);
          throw accessDenied(refusal);
        }
        record.append(
          stream,
          expected,
          events,
          (outcome) => {
            call.send(appendAnswer(outcome, expected));
            call.end();
          },
          (error) => call.fail(new RpcError(Code.resourceExhausted, error.message)),
        );
      },
    );
  };
}
