import { Catch, type INestApplication, type INestMicroservice, type RpcExceptionFilter } from '@nestjs/common';
import { BaseRpcContext, Server, type CustomTransportStrategy, type MessageHandler, type MicroserviceOptions } from '@nestjs/microservices';
import { isObservable, lastValueFrom, throwError, type Observable } from 'rxjs';
import type { Client } from '@sejam/postgres';
import { runConsumer, type Consumer, type ConsumerOptions } from './consumer.js';
import type { TopicHandler } from './handlers.js';
import type { BusMessage } from './message.js';

/** The second argument of an `@EventPattern` method: `@Ctx() context: MessageContext`. */
export class MessageContext extends BaseRpcContext<[messages: readonly BusMessage[], client: Client | undefined]> {
  /** The message whose data the method got; of a batch the first. */
  get message(): BusMessage {
    return this.args[0][0]!;
  }
  get messages(): readonly BusMessage[] {
    return this.args[0];
  }
  /** The transaction that the inbox commits with the method's rows. Methods that append have none. */
  get tx(): Client {
    if (!this.args[1]) throw new Error('A method with { appends: true } has no transaction: what it appends is recorded before the inbox is');
    return this.args[1];
  }
}

/** The third part of `@EventPattern(topic, …)`. */
export interface TopicPattern {
  /** The method appends to the record in place of writing rows. */
  readonly appends?: boolean;
  /** The method gets all messages of a transaction at once, as `BusMessage[]`, in place of one message's data: for rebuilds at speed. */
  readonly batch?: boolean;
}

/**
 * Lets `@EventPattern('sejam.intake.v1')` methods handle messages by the inbox's rules: each once and in order per stream, an error
 * parks the message and holds its stream alone, a server that is away is waited for. One method per topic. Connect it by `connectBus`.
 */
export class BusTransport extends Server implements CustomTransportStrategy {
  override readonly propagatesEventHandlerErrors = true;
  private consumer: Consumer | undefined;

  constructor(private readonly options: Omit<ConsumerOptions, 'handlers'>) {
    super();
  }

  /** Replay, skip and lag, for operators' pages; throws before the application has started. */
  unwrap<T = Consumer>(): T {
    if (!this.consumer) throw new Error('The bus is not listened to yet');
    return this.consumer as T;
  }

  listen(started: () => void): void {
    const handlers = Object.fromEntries([...this.messageHandlers].map(([topic, handler]) => [topic, topicHandler(topic, handler)]));
    this.consumer = runConsumer({ ...this.options, handlers });
    started();
  }

  close(): Promise<void> | undefined {
    return this.consumer?.stop();
  }

  on(event: string): never {
    throw new Error(`The bus has no event ${event}; ask unwrap() for its state`);
  }
}

/** Nest's own filter would hide from the inbox what failed, and so whether trying again can help. */
@Catch()
export class ErrorsAsTheyAre implements RpcExceptionFilter<unknown> {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** Adds the bus to an application that also serves HTTP; it is listened to from `startAllMicroservices` on. */
export function connectBus(app: INestApplication, transport: BusTransport): INestMicroservice {
  return app.connectMicroservice<MicroserviceOptions>({ strategy: transport }, { deferInitialization: true }).useGlobalFilters(new ErrorsAsTheyAre());
}

function topicHandler(topic: string, handler: MessageHandler): TopicHandler {
  if (!handler.isEventHandler) throw new Error(`${topic} is a @MessagePattern; nobody waits for an answer on a bus, use @EventPattern`);
  if (handler.next) throw new Error(`Two methods handle ${topic}; what one has done could not be told from what both have done`);
  const { appends = false, batch = false } = (handler.extras ?? {}) as TopicPattern;
  if (appends) {
    if (batch) throw new Error(`${topic}: what appends cannot be handled in batches, since each message is recorded by itself`);
    return { kind: 'append', handle: (message) => call(handler, message.data, new MessageContext([[message], undefined])) };
  }
  return {
    kind: 'view',
    async handle(client, messages) {
      if (batch) return call(handler, messages, new MessageContext([messages, client]));
      for (const message of messages) await call(handler, message.data, new MessageContext([[message], client]));
    },
  };
}

async function call(handler: MessageHandler, payload: unknown, context: MessageContext): Promise<void> {
  try {
    const result: unknown = await handler(payload, context);
    // A method may return an Observable, also an empty one.
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
  } catch (error) {
    if (error instanceof Error || !isMasked(error)) throw error;
    // Waits and is loud, in place of parking what may be no fault of the message.
    throw Object.assign(new Error('Nest hid why a handler failed: connect the bus by connectBus, or use the filter ErrorsAsTheyAre'), { name: 'StoreUnavailable' });
  }
}

const isMasked = (error: unknown): boolean => typeof error === 'object' && error !== null && (error as { status?: unknown }).status === 'error' && !('stack' in error);
