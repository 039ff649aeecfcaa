export { DomainError, isDomainError, StoreUnavailable, UnknownEventType, VersionConflict, type ErrorKind } from './errors.js';
export type { Actor, DomainEvent, EventMetadata, FurtherMetadata, NewEvent, Position, RecordedEvent, StoredEvent } from './event.js';
export { readStream, type AppendResult, type EventStore, type SubscribeOptions, type Subscription } from './event-store.js';
export { fold, type Aggregate } from './aggregate.js';
export { transactor, type Cause, type Decided, type DecisionContext, type Transact, type Transacted, type TransactorOptions } from './transact.js';
export type { DomainClock } from './clock.js';
export { domainClock, type TimeBase } from './domain-clock.js';
export { openRecord, readRecord, record, recordStreamId, type OpenedRecord, type RecordEvent, type RecordState } from './record.js';
