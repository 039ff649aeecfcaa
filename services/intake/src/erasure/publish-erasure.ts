import type { DomainEvent } from '@sejam/event-sourcing';
import { erasureEventTypes, type ErasureEvent } from './erasure.js';

export function isErasureEvent<Event extends DomainEvent>(event: Event): event is Event & ErasureEvent {
  return (erasureEventTypes as readonly string[]).includes(event.type);
}

/**
 * What intake tells of an erasure: whose stream and which erasure. Reasons, file numbers and key ids are nobody else's business; no other
 * service ever had the data.
 */
export function publishErasure({ type, data: { erasureId, subject } }: ErasureEvent): { type: ErasureEvent['type']; data: object } {
  if (subject.kind === 'reporter') return { type, data: { reportId: subject.reportId, erasureId } };
  return { type, data: { organisation: subject.organisation, erasureId, holder: subject.holder } };
}
