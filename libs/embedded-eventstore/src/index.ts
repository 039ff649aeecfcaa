export { startEventStore, type EventStoreOptions, type RunningEventStore } from './start-event-store.js';
export { CorruptRecord, FolderInUse } from './record/faults.js';
export { checkRecord, type CheckedRecord } from './check-record.js';
export { backUpRecord } from './back-up-record.js';
