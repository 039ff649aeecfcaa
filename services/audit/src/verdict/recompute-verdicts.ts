import { clockVerdicts, type ClockKind, type ClockVerdict } from './clocks.js';
import { text, time, type StreamEvent } from './stream-event.js';

export interface VerdictFinding {
  readonly code: 'verdict-differs' | 'deadline-wrong' | 'clock-unknown';
  readonly message: string;
  readonly stream: string;
  readonly revision: number;
  readonly eventId: string;
}

export interface VerdictReport {
  readonly holds: boolean;
  readonly clocks: Readonly<Record<ClockKind, Readonly<Record<ClockVerdict['verdict'], number>>>>;
  /** Resolution clocks of first runs, by platform. */
  readonly platforms: Readonly<Record<string, Readonly<Record<ClockVerdict['verdict'], number>>>>;
  /** Recorded verdicts that the events alone give as well. */
  readonly confirmed: number;
  /** Decided by the events, and not yet recorded by the clocks' keeper. Lag delays a verdict and never changes it. */
  readonly unrecorded: number;
  readonly findings: readonly VerdictFinding[];
}

/** Streams by name, each with its events in order; what is no takedown, report or clock stream is not looked at. */
export type Streams = ReadonlyMap<string, readonly StreamEvent[]>;

/** Derives every clock's verdict from reports and takedowns alone, and compares it with what was recorded about it anywhere. */
export function recomputeVerdicts(streams: Streams): VerdictReport {
  const findings: VerdictFinding[] = [];
  const clocks = { decision: tally(), dispatch: tally(), acknowledgement: tally(), resolution: tally(), ruling: tally() };
  const platforms: Record<string, ReturnType<typeof tally>> = {};
  const derived = new Map<string, ClockVerdict>();
  for (const [stream, events] of streams) {
    for (const verdict of clockVerdicts(stream, events)) {
      derived.set(keyOf(verdict.clock, verdict.subject, verdict.run), verdict);
      clocks[verdict.clock][verdict.verdict] += 1;
      if (verdict.clock === 'resolution' && verdict.run === 1) (platforms[verdict.platform ?? ''] ??= tally())[verdict.verdict] += 1;
    }
    findings.push(...wrongDeadlines(stream, events));
  }
  let confirmed = 0;
  const recorded = new Set<string>();
  for (const [stream, events] of streams) {
    if (!stream.startsWith('clock-')) continue;
    for (const event of events) {
      const said = RECORDED[event.type];
      if (said === undefined) continue;
      const key = keyOf(text(event, 'clock'), subjectOf(event), Number(event.data['run']));
      recorded.add(key);
      const difference = differenceFrom(derived.get(key), event, said);
      if (difference === undefined) confirmed += 1;
      else findings.push({ ...difference, ...placeOf(stream, event) });
    }
  }
  const unrecorded = [...derived].filter(([key, { verdict }]) => verdict !== 'undecided' && !recorded.has(key)).length;
  return { holds: findings.length === 0, clocks, platforms, confirmed, unrecorded, findings };
}

const RECORDED: Readonly<Record<string, ClockVerdict['verdict']>> = { DeadlineMet: 'met', DeadlineMissed: 'missed', ClockStopped: 'stopped' };

function differenceFrom(derived: ClockVerdict | undefined, event: StreamEvent, said: ClockVerdict['verdict']): Pick<VerdictFinding, 'code' | 'message'> | undefined {
  const name = `${text(event, 'clock')} clock of ${subjectOf(event)}, run ${String(event.data['run'])}`;
  if (derived === undefined) return { code: 'clock-unknown', message: `${event.type} is recorded for the ${name}, which by the owner's events never started` };
  if (derived.verdict !== said) {
    return { code: 'verdict-differs', message: `The ${name} is recorded as ${said}; by the owner's events it is ${derived.verdict} (due ${derived.due}${derived.by ? `, ${derived.by.type} at ${derived.by.at}` : ''})` };
  }
  if (said !== 'stopped' && text(event, 'due') !== derived.due) {
    return { code: 'verdict-differs', message: `The ${name} is recorded with due ${text(event, 'due')}; by the owner's events it was due ${derived.due}` };
  }
  if (said === 'met' && text(event, 'eventId') !== derived.by?.id) {
    return { code: 'verdict-differs', message: `The ${name} is recorded as met by event ${text(event, 'eventId')}; by the owner's events ${derived.by?.type ?? ''} ${derived.by?.id ?? ''} met it` };
  }
  return undefined;
}

/** The owner says that a deadline passed: at that place in its own stream that must have been so. */
function wrongDeadlines(stream: string, events: readonly StreamEvent[]): VerdictFinding[] {
  if (stream.startsWith('clock-')) return [];
  return events.flatMap((event, at) => {
    if (event.type !== 'DeadlinePassed') return [];
    const [clock, run] = [text(event, 'clock'), Number(event.data['run'])];
    const then = clockVerdicts(stream, events.slice(0, at)).find((verdict) => keyOf(verdict.clock, verdict.subject, verdict.run) === keyOf(clock, subjectOf(event), run));
    const name = `${clock} deadline of ${subjectOf(event)}, run ${run},`;
    const wrong =
      then === undefined ? `The ${name} is recorded as passed, and its clock had not started`
      : then.due !== text(event, 'due') ? `The ${name} is recorded as passed with due ${text(event, 'due')}; it was due ${then.due}`
      : then.verdict === 'met' || then.verdict === 'stopped' ? `The ${name} is recorded as passed, although ${then.by?.type ?? 'an event'} at ${then.by?.at ?? ''} had ${then.verdict} it`
      : time(event) <= Date.parse(then.due) ? `The ${name} is recorded as passed at ${event.at}, before it was due (${then.due})`
      : undefined;
    return wrong === undefined ? [] : [{ code: 'deadline-wrong' as const, message: wrong, ...placeOf(stream, event) }];
  });
}

function tally(): Record<ClockVerdict['verdict'], number> {
  return { met: 0, missed: 0, stopped: 0, undecided: 0 };
}

function subjectOf(event: StreamEvent): string {
  return text(event, 'orderId') || text(event, 'reportId');
}

function keyOf(clock: string, subject: string, run: number): string {
  return `${clock} ${subject} ${run}`;
}

function placeOf(stream: string, { revision, id }: StreamEvent): Pick<VerdictFinding, 'stream' | 'revision' | 'eventId'> {
  return { stream, revision, eventId: id };
}
