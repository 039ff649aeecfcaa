import type { Client } from '@sejam/postgres';
import type { BusMessage } from './message.js';

/**
 * Rows that follow from messages: they are committed together with the inbox, so each message counts exactly once. `messages` are in
 * order per subject and new to this consumer. Must have no effects but those on `client`: after an error the same messages are handed
 * over again one by one, to find the one that fails.
 */
export interface ViewHandler {
  readonly kind: 'view';
  handle(client: Client, messages: readonly BusMessage[]): Promise<void>;
}

/**
 * Appends to the record because of a message. The append comes first, then the inbox, so after a crash the same message comes again:
 * the append must be safe by its cause (`event:<message.id>#…`). Messages of different subjects run at the same time.
 */
export interface AppendHandler {
  readonly kind: 'append';
  handle(message: BusMessage): Promise<void>;
}

export type TopicHandler = ViewHandler | AppendHandler;
