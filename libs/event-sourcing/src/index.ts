export { DomainError, isDomainError, StoreUnavailable, UnknownEventType, VersionConflict, type ErrorKind } from './errors.js';
export type { Actor, DomainEvent, EventMetadata, NewEvent, Position, StoredEvent } from './event.js';
export type { AppendResult, EventStore, SubscribeOptions, Subscription } from './event-store.js';
export type { Aggregate } from './aggregate.js';
export type { DomainClock } from './clock.js';
