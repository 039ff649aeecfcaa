export { eventually, type EventuallyOptions } from './eventually.js';
export { testCrashingKafka, testDatabase, testKafka, type CrashingKafka, type TestDatabase } from './test-servers.js';
export { testEventStore, type TestEventStore } from './test-event-store.js';
