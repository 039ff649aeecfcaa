export { connectEventStore, type EventStoreOptions } from './connect-event-store.js';
export type { Upcast } from './event-codec.js';
