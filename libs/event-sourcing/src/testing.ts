/** For tests of whoever uses this library; no part of it belongs into a running service. */
export { memoryEventStore, type MemoryEventStore } from './memory-event-store.js';
export { fakeClock, type FakeClock } from './fake-clock.js';
export { decidedAgainIsEmpty, recorded, specFor, type Decide, type Given, type SpecFor, type When } from './spec-for.js';
