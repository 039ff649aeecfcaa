import { DomainError, type RecordedEvent } from '@sejam/event-sourcing';

/** Whose personal data: the reporter of one report, whose key has the id `subjectId`, or an officer, whose name is kept outside the record. */
export type ErasureSubject =
  | { kind: 'reporter'; reportId: string; subjectId: string }
  | { kind: 'officer'; organisation: string; holder: string };

/**
 * Stand in the stream of whom they are about, `report-<id>` or `organisation-<id>`, so that whoever reads the stream knows at once.
 * Permanent: add optional fields freely, never rename or remove one. None says who the person is.
 */
export type ErasureEvent =
  | { type: 'ErasureRequested'; data: { erasureId: string; subject: ErasureSubject; reason: string; reference?: string } }
  | { type: 'ErasureWithdrawn'; data: { erasureId: string; subject: ErasureSubject; reason: string } }
  /** Confirmed by a second holder. From here on nobody is shown the data, and the key is deleted as often as it comes back. */
  | { type: 'SubjectErased'; data: { erasureId: string; subject: ErasureSubject; requestedByHolder: string } };

export const erasureEventTypes = ['ErasureRequested', 'ErasureWithdrawn', 'SubjectErased'] as const;

export interface Erasure {
  /** `<stream>.<n>`, n from 1: it names the stream that holds it. */
  readonly erasureId: string;
  readonly subject: ErasureSubject;
  readonly state: 'requested' | 'withdrawn' | 'confirmed';
  readonly reason: string;
  readonly reference?: string;
  readonly requestedAt: string;
  readonly requestedByHolder: string;
  readonly requestedEventId: string;
  /** The confirmation or withdrawal. */
  readonly ended?: { readonly at: string; readonly byHolder: string; readonly eventId: string };
}

/** A state that erasures may stand in. Missing: none, also in rows that were written before there were erasures. */
export interface WithErasures {
  readonly status: string;
  readonly erasures?: readonly Erasure[];
}

export const erasuresOf = ({ erasures = [] }: WithErasures): readonly Erasure[] => erasures;

export const isErased = (state: WithErasures): boolean => erasuresOf(state).some((erasure) => erasure.state === 'confirmed');

export function evolveErasures(state: WithErasures, event: RecordedEvent<ErasureEvent>): readonly Erasure[] {
  const { at, by } = event.metadata;
  switch (event.type) {
    case 'ErasureRequested':
      return [...erasuresOf(state), { ...event.data, state: 'requested', requestedAt: at, requestedByHolder: by.holder, requestedEventId: event.id }];
    case 'ErasureWithdrawn':
    case 'SubjectErased': {
      const ended = { at, byHolder: by.holder, eventId: event.id };
      const ending = event.type === 'SubjectErased' ? 'confirmed' : 'withdrawn';
      return erasuresOf(state).map((erasure) => (erasure.erasureId === event.data.erasureId ? { ...erasure, state: ending, ended } : erasure));
    }
  }
}

/** The erasure of this subject that is asked for or done; a withdrawn one does not count. */
export function standingErasure(state: WithErasures, subject: ErasureSubject): Erasure | undefined {
  return erasuresOf(state).find((erasure) => erasure.state !== 'withdrawn' && sameSubject(erasure.subject, subject));
}

/** Asked for again while it is asked for or done: nothing to add, whoever asks. */
export function requestErasure(state: WithErasures, stream: string, request: { subject: ErasureSubject; reason: string; reference?: string }): ErasureEvent[] {
  if (standingErasure(state, request.subject) !== undefined) return [];
  return [{ type: 'ErasureRequested', data: { erasureId: `${stream}.${erasuresOf(state).length + 1}`, ...request } }];
}

/** Four eyes, like any decision that cannot be taken back: an officer other than the one who asked for it. */
export function confirmErasure(state: WithErasures, { erasureId, holder }: { erasureId: string; holder: string }): ErasureEvent[] {
  const erasure = findErasure(state, erasureId);
  if (holder.startsWith('system:')) throw new DomainError('erasure.officer-required', 'forbidden', 'A system may ask for an erasure; an officer confirms it');
  if (holder === erasure.requestedByHolder) {
    throw new DomainError('erasure.four-eyes', 'forbidden', 'Whoever asked for an erasure does not confirm it: another officer must');
  }
  if (erasure.state === 'withdrawn') throw new DomainError('erasure.withdrawn', 'conflict', 'The request was withdrawn; ask for the erasure anew');
  if (erasure.state === 'confirmed') return [];
  return [{ type: 'SubjectErased', data: { erasureId, subject: erasure.subject, requestedByHolder: erasure.requestedByHolder } }];
}

export function withdrawErasure(state: WithErasures, { erasureId, reason }: { erasureId: string; reason: string }): ErasureEvent[] {
  const erasure = findErasure(state, erasureId);
  if (erasure.state === 'confirmed') throw new DomainError('erasure.already-confirmed', 'conflict', 'The erasure was confirmed; nothing brings the data back');
  if (erasure.state === 'withdrawn') return [];
  return [{ type: 'ErasureWithdrawn', data: { erasureId, subject: erasure.subject, reason } }];
}

export function findErasure(state: WithErasures, erasureId: string): Erasure {
  const found = erasuresOf(state).find((erasure) => erasure.erasureId === erasureId);
  if (found === undefined) throw erasureNotFound();
  return found;
}

export const erasureNotFound = () => new DomainError('erasure.not-found', 'not-found', 'There is no such erasure');
export const noSuchSubject = (message: string) => new DomainError('erasure.subject-unknown', 'not-found', message);

function sameSubject(one: ErasureSubject, other: ErasureSubject): boolean {
  if (one.kind === 'reporter') return other.kind === 'reporter' && one.subjectId === other.subjectId;
  return other.kind === 'officer' && one.holder === other.holder;
}
