export type ClockKind = 'decision' | 'dispatch' | 'acknowledgement' | 'resolution' | 'ruling';

/** Which clock of a stream: the decision clock carries a reportId, the others an orderId. `run` 2 follows a dismissed objection. */
export interface ClockName {
  clock: ClockKind;
  run: number;
  orderId?: string;
  reportId?: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type ClockEvent =
  | {
      type: 'ClockStarted';
      data: ClockName & {
        startedAt: string;
        due: string;
        platform?: string;
        takedownId?: string;
        terms?: { policy: string; version: number; withinMinutes: number; warningPercent?: number; clarificationCapMinutes?: number };
      };
    }
  | { type: 'DueMoved'; data: ClockName & { due: string; previousDue: string; cause: 'clarification_requested' | 'clarification_provided' } }
  | { type: 'DeadlineApproaching'; data: ClockName & { due: string } }
  /** The due time has come and the clock was not met; once for every new due. */
  | { type: 'DeadlineReached'; data: ClockName & { due: string } }
  | { type: 'DeadlineMet'; data: ClockName & { due: string; metBy: string; metAt: string; eventId: string } }
  /** Recorded only on seeing an event of the owner's stream that is later than due. */
  | { type: 'DeadlineMissed'; data: ClockName & { due: string; seen: string; seenAt: string; eventId: string } }
  | { type: 'ClockStopped'; data: ClockName & { cause: 'withdrawn' | 'merged' } };
