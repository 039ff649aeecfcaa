/** What can be wrong with a bundle. Stable: scripts of auditors read them from `--json`. */
export type FindingCode =
  | 'line-malformed'
  | 'event-altered'
  | 'event-missing'
  | 'event-moved'
  | 'event-repeated'
  | 'record-short'
  | 'record-long'
  | 'root-differs'
  | 'record-rewritten'
  | 'record-truncated'
  | 'checkpoint-refused'
  | 'origin-differs'
  | 'quorum-missing'
  | 'cosignature-refused'
  | 'revision-gap'
  | 'time-missing'
  | 'time-fell'
  | 'answer-forged'
  | 'answer-differs'
  | 'answer-key-unknown';

export interface Finding {
  readonly code: FindingCode;
  /** Whole sentence, for people. */
  readonly message: string;
  /** Where in the record, when one event is meant. */
  readonly index?: number;
  readonly stream?: string;
  readonly revision?: number;
  readonly eventId?: string;
  /** Line of events.ndjson, from 1. */
  readonly line?: number;
}

/** A damaged disk can damage every event; the first hundred of a kind say what there is to say. */
const KEPT_PER_CODE = 100;

export class Findings {
  readonly #kept: Finding[] = [];
  readonly #counts = new Map<FindingCode, number>();

  add(finding: Finding): void {
    const count = (this.#counts.get(finding.code) ?? 0) + 1;
    this.#counts.set(finding.code, count);
    if (count <= KEPT_PER_CODE) this.#kept.push(finding);
  }

  get list(): readonly Finding[] {
    return this.#kept;
  }

  /** How many there were of each kind, kept or not. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }
}
