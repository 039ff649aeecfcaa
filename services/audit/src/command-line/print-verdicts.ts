import type { Board } from '../replay/board.js';
import type { TakedownState } from '../replay/takedown-state.js';
import type { VerdictReport } from '../verdict/recompute-verdicts.js';

const VERDICTS = ['met', 'missed', 'stopped', 'undecided'] as const;

export function printVerdicts(report: VerdictReport): string {
  const row = (name: string, tally: Readonly<Record<(typeof VERDICTS)[number], number>>) => name.padEnd(18) + VERDICTS.map((verdict) => tally[verdict].toLocaleString('en').padStart(12)).join('');
  const lines = [
    'from the events'.padEnd(18) + VERDICTS.map((verdict) => verdict.padStart(12)).join(''),
    ...Object.entries(report.clocks).map(([clock, tally]) => row(clock, tally)),
    '',
    'resolution, by platform',
    ...Object.entries(report.platforms).sort(([one], [other]) => one.localeCompare(other)).map(([platform, tally]) => row(platform, tally)),
    '',
    `recorded verdicts that agree: ${report.confirmed.toLocaleString('en')}; decided and not recorded yet: ${report.unrecorded.toLocaleString('en')}`,
    ...report.findings.map(({ code, message, stream, revision, eventId }) => `FAULT       ${code}: ${message} (${stream} revision ${revision}, event ${eventId})`),
    report.holds ? 'Every recorded verdict follows from the events.' : 'Recorded verdicts do NOT follow from the events.',
  ];
  return `${lines.join('\n')}\n`;
}

export function printBoard(board: Board): string {
  const lines = [`As of ${board.at}: ${board.takedowns} takedowns, ${board.open} open`];
  for (const [platform, tally] of Object.entries(board.byStatus).sort(([one], [other]) => one.localeCompare(other))) {
    lines.push(`${platform.padEnd(12)} ${Object.entries(tally).sort(([one], [other]) => one.localeCompare(other)).map(([status, count]) => `${status} ${count}`).join(', ')}`);
  }
  for (const row of board.rows) lines.push(`${(row.due ?? 'not running').padEnd(25)} ${row.missed ? 'MISSED ' : '       '} ${row.status.padEnd(24)} ${row.takedownId} ${row.contentKey}`);
  return `${lines.join('\n')}\n`;
}

export function printTakedown(state: TakedownState): string {
  const lines = [
    `Takedown ${state.takedownId} as of ${state.at}`,
    `content      ${state.contentKey} (${state.product}) ${state.canonicalUrl}`,
    `status       ${state.status}${state.mergedInto === undefined ? '' : ` into ${state.mergedInto}`}; objection ${state.objection}; verification ${state.verification}`,
    `reports      ${state.reports.map(({ reportId, reportedBy }) => `${reportId} (${reportedBy})`).join(', ') || 'none'}`,
    ...state.orders.flatMap((order) => [
      `order        ${order.orderId} ${order.status}, issued ${order.issuedAt}, asks for ${order.requestedAction}`,
      ...order.clocks.map(({ clock, run, due, verdict }) => `  ${clock}${run > 1 ? ` run ${run}` : ''}: ${verdict}, due ${due}`),
    ]),
    ...state.timeline.map(({ at, type, by, eventId, revision, proof }) => `${at}  ${String(revision).padStart(3)}  ${type.padEnd(24)} ${by.padEnd(28)} ${eventId}${proof === undefined ? '' : `  ${proof === 'refused' ? 'NOT PROVEN' : `proof: ${proof}`}`}`),
  ];
  return `${lines.join('\n')}\n`;
}
