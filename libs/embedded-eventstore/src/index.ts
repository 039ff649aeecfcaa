export { startEventStore, type EventStoreOptions, type RunningEventStore } from './start-event-store.js';
export { CorruptRecord, FolderInUse } from './record/faults.js';
