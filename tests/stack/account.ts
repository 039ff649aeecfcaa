import { execFile } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { StoredEvent } from '@sejam/event-sourcing';
import type { Delivery } from './platforms-desk.js';
import { recomputedClocks, type RecomputedClock } from './recomputed-clocks.js';
import type { Stack } from './stack.js';

/** What the outside was told it could rely on. */
export interface Promised {
  /** Reports answered with 201 or 200, with the contents that were then approved. */
  readonly reports: readonly { readonly id: string; readonly eventId: string; readonly approved: readonly string[] }[];
  /** Answers of platforms that got 202. */
  readonly answers: readonly { readonly takedownId: string; readonly eventId: string; readonly causationId: string }[];
}

const answerTypes = new Set(['OrderAcknowledged', 'ClarificationRequested', 'ContentActioned', 'OrderRefused', 'ObjectionRaised', 'ContentReinstated']);
const verdicts: Readonly<Record<string, string>> = { DeadlineMet: 'met', DeadlineMissed: 'missed', ClockStopped: 'stopped' };
const said = <Field extends string>({ data }: StoredEvent): Readonly<Record<Field, string>> => data as Readonly<Record<Field, string>>;

/**
 * Holds the record and what reached the platforms against what was promised; each sentence it returns is something lost, doubled, silently
 * missed or contradicted. `settledAt`: domain time; what was due before it must have been dealt with.
 */
export async function faultsInRecord(stack: Stack, promised: Promised, settledAt: Date): Promise<string[]> {
  const [reports, takedowns, clocks] = [await stack.streams('report-'), await stack.streams('takedown-'), await stack.streams('clock-')];
  const faults = [
    ...lostReports(promised, reports, takedowns),
    ...lostAnswers(promised, takedowns),
    ...doubledOrders(takedowns, stack.desk.deliveries),
    ...[...reports.values(), ...takedowns.values(), ...clocks.values()].flatMap(disorder),
    ...[...reports.values(), ...takedowns.values()].flatMap((events) => wrongVerdicts(events, clocks, settledAt)),
  ];
  if (faults.length > 0 && process.env['SEJAM_KEEP_STACK'] !== undefined) appendFileSync(`${stack.folder}/faults.txt`, `${faults.join('\n')}\n`);
  return faults;
}

/** What an auditor finds at home who takes the whole record out and holds it against what was signed and decided; empty when all holds. */
export async function faultsInAudit(stack: Stack): Promise<string[]> {
  const bundle = join(stack.folder, 'bundle');
  const faults: string[] = [];
  for (const args of [['export', '--url', stack.url, '--key', stack.credentials.keys['auditor'] as string, '--out', bundle], ['verify', bundle], ['recompute', bundle]]) {
    await promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../services/audit/bin/sejam-audit.mjs'), ...args]).catch((error: { stdout?: string; stderr?: string }) => faults.push(`sejam-audit ${args[0]}: ${error.stdout}${error.stderr}`));
  }
  return faults;
}

function lostReports({ reports: promised }: Promised, reports: Streams, takedowns: Streams): string[] {
  return promised.flatMap(({ id, eventId, approved }) => {
    const submitted = (reports.get(`report-${id}`) ?? []).filter(({ type }) => type === 'ReportSubmitted');
    const faults = submitted.length === 1 && submitted[0]?.id === eventId ? [] : [`report ${id} was accepted as ${eventId} and stands in the record ${submitted.length} times`];
    for (const takedownId of approved) {
      const joined = (takedowns.get(`takedown-${takedownId}`) ?? []).filter((event) => event.type === 'ReportJoined' && said<'reportId'>(event).reportId === id);
      if (joined.length !== 1) faults.push(`approved report ${id} joined takedown ${takedownId} ${joined.length} times`);
    }
    return faults;
  });
}

function lostAnswers({ answers }: Promised, takedowns: Streams): string[] {
  return answers.flatMap(({ takedownId, eventId, causationId }) => {
    const caused = (takedowns.get(`takedown-${takedownId}`) ?? []).filter(({ type, metadata }) => answerTypes.has(type) && metadata.causationId === causationId);
    return caused.length === 1 && caused[0]?.id === eventId ? [] : [`answer ${causationId} was taken as ${eventId} and stands in takedown ${takedownId} ${caused.length} times`];
  });
}

function doubledOrders(takedowns: Streams, deliveries: readonly Delivery[]): string[] {
  const faults: string[] = [];
  for (const [stream, events] of takedowns) {
    const orders = events.filter(({ type }) => type === 'OrderIssued');
    const reopened = events.filter(({ type }) => type === 'TakedownReopened').length;
    if (orders.length !== reopened + 1) faults.push(`${stream} has ${orders.length} orders, and was reopened ${reopened} times`);
    for (const order of orders) {
      const { orderId } = said<'orderId'>(order);
      const about = (type: string) => events.filter((event) => event.type === type && said<'orderId'>(event).orderId === orderId).length;
      if (about('OrderDelivered') > 1) faults.push(`order ${orderId} was recorded as delivered ${about('OrderDelivered')} times`);
      const sent = deliveries.filter((one) => one.type === 'order.issued' && one.orderId === orderId);
      if (about('OrderDelivered') + about('OrderDeemedDelivered') + about('OrderWithdrawn') === 0) faults.push(`order ${orderId} was never delivered; ${sent.length} attempts reached the platform`);
      if (new Set(sent.map(({ webhookId }) => webhookId)).size > 1) faults.push(`order ${orderId} reached the platform under several webhook ids`);
      if (new Set(sent.map(({ body }) => body)).size > 1) faults.push(`order ${orderId} reached the platform with several bodies`);
      if (sent.some(({ webhookId }) => webhookId !== order.id)) faults.push(`order ${orderId} reached the platform under an id that is not its event's`);
    }
  }
  const known = new Set([...takedowns.values()].flatMap((events) => events.filter(({ type }) => type === 'OrderIssued').map((event) => said<'orderId'>(event).orderId)));
  for (const { orderId, type, verified } of deliveries) {
    if (type === 'order.issued' && !known.has(orderId)) faults.push(`order ${orderId} reached a platform and is not in the record`);
    if (!verified) faults.push(`a message about ${orderId} was not signed as its platform expects`);
  }
  return faults;
}

function disorder(events: readonly StoredEvent[]): string[] {
  return events.flatMap(({ revision, stream, metadata }, index) => [
    ...(revision === index ? [] : [`${stream} has revision ${revision} in place ${index}`]),
    ...(index === 0 || Date.parse(metadata.at) >= Date.parse(events[index - 1]?.metadata.at ?? '') ? [] : [`${stream} goes back in time at revision ${revision}`]),
  ]);
}

function wrongVerdicts(events: readonly StoredEvent[], clocks: Streams, settledAt: Date): string[] {
  return recomputedClocks(events).flatMap((one) => {
    const { clock, run, subject, due, verdict: { outcome } } = one;
    const name = `the ${clock} clock of ${subject}, run ${run},`;
    const own = (clocks.get(`clock-${subject}`) ?? []).filter(({ data }) => (data as { clock?: string; run?: number }).clock === clock && (data as { run?: number }).run === run);
    const recorded = own.flatMap(({ type }) => verdicts[type] ?? []);
    if (recorded.length > 1) return [`${name} was decided ${recorded.length} times`];
    if (recorded.length === 1 && recorded[0] !== outcome) return [`${name} was recorded as ${recorded[0]}, and its events say ${outcome}`];
    if (due >= settledAt && outcome === 'undecided') return [];
    if (own.length === 0) return [`${name} never ran, and its events say ${outcome}`];
    if (outcome === 'undecided') return [`${name} was due at ${due.toISOString()}, and nothing says that it passed`];
    if (recorded.length === 0) return [`${name} has no verdict in the record, and its events say ${outcome}`];
    return outcome === 'missed' && !passed(events, one) ? [`${name} was missed, and its owner's stream does not say that it passed`] : [];
  });
}

/** The owner says so itself, unless the case was closed from outside before sla had asked. */
function passed(events: readonly StoredEvent[], { clock, run, subject }: RecomputedClock): boolean {
  return events.some(({ type, data }) => {
    const { clock: which, run: number, orderId = subject } = data as { clock?: string; run?: number; orderId?: string };
    if (type === 'DeadlinePassed') return which === clock && (number ?? run) === run && orderId === subject;
    return type === 'TakedownMerged' || type === 'ReportWithdrawn' || (type === 'OrderWithdrawn' && orderId === subject);
  });
}

type Streams = ReadonlyMap<string, readonly StoredEvent[]>;
