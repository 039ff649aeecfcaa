import { BUNDLE_FILES } from '../bundle/bundle.js';
import type { VerifyReport } from '../bundle/verify-bundle.js';
import type { DiffReport } from '../bundle/diff-bundles.js';

/** The report for people: what holds first, what does not after it, one fault a line. */
export function printVerify(report: VerifyReport): string {
  const number = (value: number) => value.toLocaleString('en');
  const lines = [
    `${report.origin}: ${number(report.events)} events in ${number(report.streams)} streams`,
    `root        ${report.root}`,
    ...report.logKeys.map((key) => `log key     ${key}${report.keyIsPinned ? '' : '  (from the bundle itself: compare it with the one you were given)'}`),
    ...printCheckpoints(report),
    ...(report.cosignedBy.length === 0 ? ['cosigned    by no known witness'] : report.cosignedBy.map(({ name, at }) => `cosigned    ${name} at ${at}`)),
    `answers     ${number(report.answers.asymmetric)} proven by the platform's own key, ${number(report.answers.shared)} by a shared secret, ${number(report.answers.unsigned)} without a signature${report.answers.refused ? `, ${number(report.answers.refused)} NOT` : ''}`,
  ];
  for (const { platform, keyId, publicKey, required, at, by } of report.answerKeys) {
    lines.push(`answer key  ${platform} ${publicKey} (${keyId}, registered by ${by} at ${at}${required ? ', required' : ''}): ask the platform whether it is its own`);
  }
  for (const { code, message } of report.findings) lines.push(`FAULT       ${code}: ${message}`);
  for (const [code, count] of Object.entries(report.counts)) {
    const listed = report.findings.filter((finding) => finding.code === code).length;
    if (count > listed) lines.push(`FAULT       ${code}: ${number(count - listed)} more`);
  }
  lines.push(report.holds ? 'Everything holds.' : 'This bundle does NOT hold.');
  return `${lines.join('\n')}\n`;
}

/** Hundreds of earlier checkpoints that hold are one line; each that does not has its own. */
function printCheckpoints({ checkpoints }: VerifyReport): string[] {
  const quiet = checkpoints.filter(({ name, holds }) => holds && name.startsWith(BUNDLE_FILES.earlier));
  const lines = checkpoints.filter((one) => !quiet.includes(one)).map(({ name, size, holds }) =>
    `${holds ? 'holds      ' : 'DOES NOT   '} ${name}${size === undefined ? '' : ` (${size.toLocaleString('en')} events)`}`);
  return quiet.length === 0 ? lines : [`holds       ${quiet.length} earlier checkpoints of the bundle`, ...lines];
}

export function printDiff(report: DiffReport, names: readonly [string, string]): string {
  const [one, other] = report.events;
  const lines = report.differences.map(({ index, one: left, other: right }) =>
    [`event ${index}`, `  ${names[0]}: ${left.type} ${left.id}, ${left.stream} revision ${left.revision}, ${String(left.at)}`, `  ${names[1]}: ${right.type} ${right.id}, ${right.stream} revision ${right.revision}, ${String(right.at)}`].join('\n'));
  if (report.differing > report.differences.length) lines.push(`and ${report.differing - report.differences.length} more`);
  lines.push(`The first ${report.common.toLocaleString('en')} events are the same.`);
  if (!report.agree) lines.push(`${report.differing.toLocaleString('en')} of the events that both hold differ: these are two records.`);
  else if (one !== other) lines.push(`${names[one > other ? 0 : 1]} goes on with ${Math.abs(one - other).toLocaleString('en')} more.`);
  return `${lines.join('\n')}\n`;
}
