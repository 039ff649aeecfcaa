export { eventually, type EventuallyOptions } from './eventually.js';
export { testDatabase, testKafka, type TestDatabase } from './test-servers.js';
export { testEventStore, type TestEventStore } from './test-event-store.js';
