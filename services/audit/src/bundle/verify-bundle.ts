import { join } from 'node:path';
import { Frontier, hashFromBase64, NoteRefused, openCheckpoint, parseNote, parseSignatureLine, sameHash, verifySignatures, appendSignatures, type Hash, type NoteVerifier, type OpenedCheckpoint, type TlogPolicy } from '@sejam/transparency-log';
import { AnswerProofs, type AnswerVerdict, type RegisteredKey } from './answer-proof.js';
import { BUNDLE_FILES, readLines, type Bundle } from './bundle.js';
import { LineMalformed, leafOf, parseEventLine, type EventLine } from './event-line.js';
import { Findings, type Finding } from './finding.js';

export interface VerifyOptions {
  /** Checkpoints that somebody else kept: what makes a shortened or rewritten record visible. */
  readonly kept?: readonly { readonly name: string; readonly note: string }[];
  /** The log's key as it was given on another way; without it the bundle's own is taken, which proves less. */
  readonly key?: NoteVerifier;
  /** Witnesses to believe, and how many of them are needed. */
  readonly policy?: TlogPolicy;
  onProgress?(share: number, events: number): void;
}

export interface CheckpointResult {
  readonly name: string;
  readonly size?: number;
  readonly holds: boolean;
}

export interface VerifyReport {
  readonly holds: boolean;
  readonly origin: string;
  readonly events: number;
  readonly streams: number;
  readonly root: string;
  /** vkeys against which the checkpoints were verified, and whether they were given from outside the bundle. */
  readonly logKeys: readonly string[];
  readonly keyIsPinned: boolean;
  readonly checkpoints: readonly CheckpointResult[];
  readonly cosignedBy: readonly { readonly name: string; readonly at: string }[];
  readonly answers: Readonly<Record<AnswerVerdict['proof'], number>>;
  readonly answerKeys: readonly RegisteredKey[];
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<string, number>>;
}

interface Claim {
  readonly name: string;
  readonly size: number;
  readonly root: Hash;
  readonly kind: 'own' | 'earlier' | 'kept';
}

/** Recomputes everything that docs/audit-format.md section 10 asks for, in one pass over the events. */
export function verifyBundle(bundle: Bundle, options: VerifyOptions = {}): VerifyReport {
  const findings = new Findings();
  const logKeys = options.key ? [options.key] : options.policy?.logs.length ? options.policy.logs.map(({ key }) => key) : bundle.keys.log;
  const witnesses = options.policy?.witnesses.map(({ key }) => key) ?? bundle.keys.witnesses.map(({ key }) => key);
  const opened = new Map<string, OpenedCheckpoint>();
  const claims = readClaims(bundle, options, { logKeys, witnesses }, opened, findings);
  const pass = new Pass(bundle, claims, findings);
  readLines(join(bundle.folder, BUNDLE_FILES.events), (line, complete) => pass.line(line, complete), (share) => options.onProgress?.(share, pass.frontier.size));
  const checkpoints = pass.finish();

  const own = opened.get(BUNDLE_FILES.checkpoint);
  const cosigners = own?.cosignatures ?? [];
  if (options.policy && !options.policy.isQuorum(cosigners.map(({ verifier }) => verifier))) {
    findings.add({ code: 'quorum-missing', message: `The checkpoint bears ${cosigners.length} cosignatures of known witnesses, which the policy does not take for enough` });
  }
  return {
    holds: findings.total === 0,
    origin: bundle.manifest.origin,
    events: pass.frontier.size,
    streams: pass.streams,
    root: Buffer.from(pass.frontier.root()).toString('base64'),
    logKeys: logKeys.map((key) => key.vkey),
    keyIsPinned: options.key !== undefined || (options.policy?.logs.length ?? 0) > 0,
    checkpoints: [...unreadable(opened, bundle, options), ...checkpoints],
    cosignedBy: cosigners.map(({ verifier, timestamp }) => ({ name: verifier.name, at: new Date((timestamp ?? 0) * 1000).toISOString() })),
    answers: pass.answers,
    answerKeys: pass.answerKeys,
    findings: findings.list,
    counts: findings.counts,
  };
}

function namedNotes(bundle: Bundle, options: VerifyOptions): { name: string; note: string; kind: Claim['kind'] }[] {
  return [
    { name: BUNDLE_FILES.checkpoint, note: bundle.checkpoint, kind: 'own' },
    ...bundle.earlier.map((note, at) => ({ name: `${BUNDLE_FILES.earlier} line ${at + 1}`, note, kind: 'earlier' as const })),
    ...(options.kept ?? []).map(({ name, note }) => ({ name, note, kind: 'kept' as const })),
  ];
}

function unreadable(opened: ReadonlyMap<string, OpenedCheckpoint>, bundle: Bundle, options: VerifyOptions): CheckpointResult[] {
  return namedNotes(bundle, options).filter(({ name }) => !opened.has(name)).map(({ name }) => ({ name, holds: false }));
}

function readClaims(
  bundle: Bundle, options: VerifyOptions, keys: { logKeys: readonly NoteVerifier[]; witnesses: readonly NoteVerifier[] }, opened: Map<string, OpenedCheckpoint>, findings: Findings,
): Claim[] {
  const claims: Claim[] = [];
  for (const { name, note, kind } of namedNotes(bundle, options)) {
    try {
      const cosigned = kind === 'own' ? addCosignatures(note, bundle.cosignatures, keys.witnesses, findings) : note;
      const checkpoint = openCheckpoint(cosigned, { log: keys.logKeys, witnesses: keys.witnesses });
      if (checkpoint.origin !== bundle.manifest.origin) {
        findings.add({ code: 'origin-differs', message: `${name} is a checkpoint of ${checkpoint.origin}; the bundle says it is of ${bundle.manifest.origin}` });
      }
      opened.set(name, checkpoint);
      claims.push({ name, size: checkpoint.size, root: checkpoint.root, kind });
    } catch (error) {
      if (!(error instanceof NoteRefused)) throw error;
      findings.add({ code: 'checkpoint-refused', message: `${name}: ${error.message}` });
    }
  }
  const own = opened.get(BUNDLE_FILES.checkpoint);
  if (own !== undefined && own.size !== bundle.manifest.size) {
    findings.add({ code: 'checkpoint-refused', message: `${BUNDLE_FILES.manifest} speaks of ${bundle.manifest.size} events, ${BUNDLE_FILES.checkpoint} of ${own.size}` });
  }
  return claims.sort((one, other) => one.size - other.size);
}

function addCosignatures(note: string, lines: string, witnesses: readonly NoteVerifier[], findings: Findings): string {
  const { text } = parseNote(note);
  const good = lines.split('\n').filter((line) => line !== '').flatMap((line) => {
    try {
      const signature = parseSignatureLine(line);
      verifySignatures(text, [signature], witnesses);
      return [signature];
    } catch (error) {
      if (!(error instanceof NoteRefused)) throw error;
      findings.add({ code: 'cosignature-refused', message: `${BUNDLE_FILES.cosignatures}: ${error.message}` });
      return [];
    }
  });
  return appendSignatures(note, good);
}

/** One walk over the events. */
class Pass {
  readonly frontier = new Frontier();
  readonly answers = { shared: 0, asymmetric: 0, unsigned: 0, refused: 0 };
  readonly #streams = new Map<string, { revision: number; at: string }>();
  readonly #proofs = new AnswerProofs();
  readonly #results: CheckpointResult[] = [];
  readonly #gaps = new Map<number, { line: number }>();
  #expected = 0;
  #line = 0;
  #nextClaim = 0;
  #agreed = 0;
  /** The tree that the lines claim, kept from the first leaf on that differs; it tells whether their claims can be believed. */
  #claimed: Frontier | undefined;

  constructor(private readonly bundle: Bundle, private readonly claims: readonly Claim[], private readonly findings: Findings) {
    this.#compareClaims();
  }

  get answerKeys(): readonly RegisteredKey[] {
    return this.#proofs.registered;
  }

  get streams(): number {
    return this.#streams.size;
  }

  line(bytes: Buffer, complete: boolean): void {
    this.#line += 1;
    let line: EventLine;
    try {
      if (!complete) throw new LineMalformed('it does not end in a newline');
      line = parseEventLine(bytes);
    } catch (error) {
      if (!(error instanceof LineMalformed)) throw error;
      this.findings.add({ code: 'line-malformed', message: `Line ${this.#line} of ${BUNDLE_FILES.events} is unreadable: ${error.message}`, index: this.#expected, line: this.#line });
      this.#expected += 1;
      return;
    }
    this.#place(line);
    const leaf = leafOf(line);
    if (leaf.text !== line.claimedLeaf) {
      this.#claimed ??= new Frontier(this.frontier.size, this.frontier.hashes);
      this.#about(line, 'event-altered', `is not the event that was logged there: its leaf is ${leaf.text}, the line says ${line.claimedLeaf}`);
    }
    this.#claimed?.append(hashFromBase64(line.claimedLeaf) ?? leaf.hash);
    this.frontier.append(leaf.hash);
    this.#compareClaims();
    this.#followStream(line);
    this.#judgeAnswer(line);
  }

  finish(): CheckpointResult[] {
    const { size } = this.bundle.manifest;
    for (const [index, { line }] of this.#gaps) {
      this.findings.add({ code: 'event-missing', message: `Event ${index} is missing before line ${line} of ${BUNDLE_FILES.events}`, index, line });
    }
    if (this.#expected < size) {
      this.findings.add({ code: 'record-short', message: `The events end after ${this.#expected}; events ${this.#expected} to ${size - 1} are missing`, index: this.#expected });
    }
    if (this.#expected > size) this.findings.add({ code: 'record-long', message: `The bundle holds ${this.#expected} events where its checkpoint covers ${size}`, index: size });
    for (const claim of this.claims.slice(this.#nextClaim)) {
      this.#results.push({ name: claim.name, size: claim.size, holds: false });
      if (claim.kind === 'kept' && claim.size > size) {
        this.findings.add({
          code: 'record-truncated',
          message: `${claim.name} shows that the log once held ${claim.size} events; this bundle ends at ${size}. If it was exported after that checkpoint was made, the record has been cut back`,
          index: size,
        });
      }
    }
    return this.#results;
  }

  #place(line: EventLine): void {
    const { index } = line;
    if (index === this.#expected) {
      this.#expected += 1;
    } else if (index > this.#expected) {
      // A bundle that lacks more than this is told by its short end and its root.
      const last = Math.min(index, this.#expected + 1000);
      for (let missing = this.#expected; missing < last; missing += 1) this.#gaps.set(missing, { line: this.#line });
      this.#expected = index + 1;
    } else if (this.#gaps.delete(index)) {
      this.#about(line, 'event-moved', `stands at line ${this.#line}, behind event ${this.#expected - 1}`);
    } else {
      this.#about(line, 'event-repeated', `stands a second time, at line ${this.#line}`);
    }
  }

  #compareClaims(): void {
    for (let claim = this.claims[this.#nextClaim]; claim?.size === this.frontier.size; claim = this.claims[this.#nextClaim]) {
      this.#nextClaim += 1;
      const holds = sameHash(this.frontier.root(), claim.root);
      this.#results.push({ name: claim.name, size: claim.size, holds });
      if (holds) {
        this.#agreed = claim.size;
        continue;
      }
      const linesAreSigned = this.#claimed !== undefined && sameHash(this.#claimed.root(), claim.root);
      const where = linesAreSigned
        ? 'exactly the altered events named here differ from what was signed'
        : `the first ${this.#agreed} events agree with a signed checkpoint, the first ${claim.size} do not: the fault lies among events ${this.#agreed} to ${claim.size - 1}`;
      this.findings.add(claim.kind === 'kept'
        ? { code: 'record-rewritten', message: `${claim.name}, kept by somebody else, was signed over other events than these; ${where}`, index: this.#agreed }
        : { code: 'root-differs', message: `The events do not hash to the root that was signed in ${claim.name}; ${where}`, index: this.#agreed });
    }
  }

  #followStream(line: EventLine): void {
    const { stream, revision } = line.event;
    const at = line.metadata.at;
    const last = this.#streams.get(stream);
    const expected = last === undefined ? 0 : last.revision + 1;
    if (revision !== expected) this.#about(line, 'revision-gap', `follows revision ${last === undefined ? 'none' : last.revision}; revision ${expected} must come next in its stream`);
    if (typeof at !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(at)) {
      this.#about(line, 'time-missing', 'has no recorded time (`at` in its metadata)');
      return;
    }
    // RFC 3339 in one fixed form: the order of the texts is the order of the times.
    if (last !== undefined && at < last.at) this.#about(line, 'time-fell', `was recorded at ${at}, before its predecessor in the stream (${last.at})`);
    if (last === undefined) this.#streams.set(stream, { revision, at });
    else [last.revision, last.at] = [revision, at];
  }

  #judgeAnswer(line: EventLine): void {
    this.#proofs.learn(line);
    const verdict = this.#proofs.judge(line);
    if (verdict === undefined) return;
    this.answers[verdict.proof] += 1;
    if (verdict.proof === 'refused') this.#about(line, verdict.code, `is not proven to be the platform's: ${verdict.message}`);
  }

  #about({ index, event }: EventLine, code: Finding['code'], what: string): void {
    this.findings.add({
      code, index, stream: event.stream, revision: event.revision, eventId: event.id, line: this.#line,
      message: `Event ${index} (${event.type} ${event.id}, ${event.stream} revision ${event.revision}) ${what}`,
    });
  }
}
