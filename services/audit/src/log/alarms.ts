import type { Client } from '@sejam/postgres';
import type { Logger } from '@sejam/service-host';

export type AlarmKind = 'log-halted' | 'revision-gap' | 'record-deletion' | 'record-restored' | 'witness-disagrees';

export interface Alarm {
  readonly kind: AlarmKind;
  readonly subject: string;
  readonly detail: string;
  readonly raisedAt: Date;
}

/** What an operator and every auditor must hear of. Kept until somebody has looked into it; the same again is one alarm. */
export class Alarms {
  readonly #known = new Set<string>();

  /** `onNew` is told of each alarm once in the life of a process. */
  constructor(private readonly client: Client, private readonly log: Logger, private readonly onNew: (kind: AlarmKind) => void = () => {}) {}

  /** Tells of what earlier runs have left, and a restore. */
  async recall(): Promise<void> {
    for (const { kind, subject } of await this.list()) this.#know(kind, subject);
  }

  /** Never rejects: an alarm that cannot be kept is still logged. */
  async raise(kind: AlarmKind, subject: string, detail: string): Promise<void> {
    this.log.error({ alarm: kind, subject }, detail);
    this.#know(kind, subject);
    await this.client.query('INSERT INTO alarm (kind, subject, detail) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [kind, subject, detail])
      .catch((error: unknown) => this.log.warn({ error: String(error) }, 'An alarm could not be kept'));
  }

  async list(): Promise<Alarm[]> {
    const { rows } = await this.client.query<{ kind: AlarmKind; subject: string; detail: string; raised_at: Date }>('SELECT kind, subject, detail, raised_at FROM alarm ORDER BY raised_at');
    return rows.map(({ kind, subject, detail, raised_at: raisedAt }) => ({ kind, subject, detail, raisedAt }));
  }

  #know(kind: AlarmKind, subject: string): void {
    const alarm = `${kind} ${subject}`;
    if (this.#known.has(alarm)) return;
    this.#known.add(alarm);
    this.onNew(kind);
  }
}
