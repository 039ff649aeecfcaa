import { createHash } from 'node:crypto';
import type { BusMessage } from '@sejam/bus';
import { ceTypeOf, encode, type Topic } from '@sejam/contracts';
import { builtInTerms } from '@sejam/deadlines';

export interface Told {
  readonly topic: Topic;
  readonly message: BusMessage;
}

export const startMs = Date.parse('2024-11-27T02:00:00.000Z');
export const minute = (minutes: number): string => new Date(startMs + minutes * 60_000).toISOString();

/** The same text gives the same id. */
export function idOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Tells of streams as their publishers do: revisions counted, values as ProtoJSON. */
export class History {
  readonly told: Told[] = [];
  readonly #revisions = new Map<string, number>();

  tell(topic: Topic, subject: string, type: string, at: string, data: object): void {
    const sequence = (this.#revisions.get(subject) ?? -1) + 1;
    this.#revisions.set(subject, sequence);
    const message: BusMessage = {
      id: idOf(`${subject} ${sequence}`), type: ceTypeOf(topic, type), source: 'sejam://r/test', subject, time: at, sequence, data: encode(topic, type, data) as Record<string, unknown>,
    };
    this.told.push({ topic, message });
  }
}

export interface Case {
  readonly name: string;
  readonly platform?: string;
  readonly product?: string;
  readonly category?: string;
  readonly region?: string;
  readonly issue?: string;
  readonly reportedBy?: string;
  readonly decidedBy?: string;
  readonly test?: boolean;
  /** Minutes at which the report comes. */
  readonly at?: number;
  readonly url?: string;
}

/** One report of one content and the takedown it opens, told step by step; times in minutes. */
export class Story {
  readonly reportId: string;
  readonly takedownId: string;
  readonly orderId: string;
  readonly contentKey: string;
  readonly #about: Required<Omit<Case, 'issue'>> & { issue?: string };

  constructor(
    readonly history: History,
    about: Case,
  ) {
    this.#about = {
      platform: 'tiktok', product: about.platform ?? 'tiktok', category: 'hoax.candidate', region: '32.73', reportedBy: 'bawaslu', decidedBy: 'bawaslu', test: false, at: 0,
      url: `https://www.tiktok.com/@x/video/${about.name}`, ...about,
    };
    this.reportId = idOf(`report ${about.name}`);
    this.takedownId = idOf(`takedown ${about.name}`);
    this.orderId = `${this.takedownId}.1`;
    this.contentKey = `${this.#about.product}:video:${about.name}`;
  }

  #content(): object {
    const { platform, product, url } = this.#about;
    return { index: 0, submittedUrl: url, canonicalUrl: url, contentKey: this.contentKey, platform, product, provisional: false, takedownId: this.takedownId };
  }

  #statement(): object {
    const { category, region, issue } = this.#about;
    return { category, contentForm: 'video', legalBasis: ['UU-10-2016:69-c'], region, summary: 'Moved', ...(issue === undefined ? {} : { issue: { reference: issue, title: issue } }) };
  }

  ofReport(type: string, minutes: number, data: object): this {
    this.history.tell('sejam.intake.v1', `report-${this.reportId}`, type, minute(minutes), { reportId: this.reportId, ...data });
    return this;
  }

  submitted(minutes = this.#about.at): this {
    return this.ofReport('ReportSubmitted', minutes, { reference: this.#about.name, reportedBy: this.#about.reportedBy, statement: this.#statement(), contents: [this.#content()] });
  }

  approved(minutes = this.#about.at): this {
    const { name, reportedBy, decidedBy, at } = this.#about;
    return this.ofReport('ContentsApproved', minutes, {
      reference: name, reportedBy, submittedAt: minute(at), decidedBy, issuedBy: 'kominfo', contents: [this.#content()], statement: this.#statement(), reasons: 'Voting has not moved at all',
      requestedAction: 'removed', legalBasis: ['UU-10-2016:69-c'], submittedByHolder: 'officer:1', approvedByHolder: 'officer:2', undecided: 0,
    });
  }

  declined(minutes = this.#about.at): this {
    return this.ofReport('ContentsDeclined', minutes, { decidedBy: this.#about.decidedBy, contents: [{ contentKey: this.contentKey, takedownId: this.takedownId }], reason: 'satire', undecided: 0 });
  }

  /** Of its reporter no figure and no view ever knew. */
  erased(minutes = this.#about.at): this {
    const erasureId = `report-${this.reportId}.1`;
    return this.ofReport('ErasureRequested', minutes, { erasureId }).ofReport('SubjectErased', minutes, { erasureId });
  }

  ofTakedown(type: string, minutes: number, data: object, status = 'delivered'): this {
    const { platform, product, category } = this.#about;
    const takedown = { id: this.takedownId, platform, product, contentKey: this.contentKey, category, status, round: 1 };
    this.history.tell('sejam.takedown.v1', `takedown-${this.takedownId}`, type, minute(minutes), { takedown, ...data });
    return this;
  }

  opened(minutes = this.#about.at): this {
    const { platform, product, category, url } = this.#about;
    return this.ofTakedown('TakedownOpened', minutes, { takedownId: this.takedownId, contentKey: this.contentKey, platform, product, submittedUrl: url, canonicalUrl: url, category, provisional: false });
  }

  joined(minutes = this.#about.at, changes: { reportId?: string; reportedBy?: string } = {}): this {
    const { reportedBy, decidedBy, category, region, issue, url, at } = this.#about;
    return this.ofTakedown('ReportJoined', minutes, {
      reportId: this.reportId, reportedBy, decidedBy, issuedBy: 'kominfo', submittedAt: minute(at), approvedAt: minute(minutes), submittedUrl: url, canonicalUrl: url, category,
      contentForm: 'video', region, legalBasis: ['UU-10-2016:69-c'], reasons: 'Voting has not moved at all', requestedAction: 'removed', submittedByHolder: 'officer:1',
      approvedByHolder: 'officer:2', ...(issue === undefined ? {} : { issue: { reference: issue, title: issue } }), ...changes,
    });
  }

  issued(minutes = this.#about.at, round = 1): this {
    return this.ofTakedown('OrderIssued', minutes, {
      orderId: `${this.takedownId}.${round}`, round, approvedAt: minute(minutes), requestedAction: 'removed', category: this.#about.category, legalBasis: [], reasons: 'Voting has not moved at all',
      decidedBy: this.#about.decidedBy, issuedBy: 'kominfo', reports: 1, terms: builtInTerms, test: this.#about.test,
    });
  }

  /** An event of the order. */
  order(type: string, minutes: number, data: object = {}, round = 1): this {
    return this.ofTakedown(type, minutes, { orderId: `${this.takedownId}.${round}`, ...data });
  }

  delivered(minutes: number, round = 1): this {
    return this.order('OrderDelivered', minutes, { via: 'webhook' }, round);
  }

  actioned(minutes: number, asRequested = true): this {
    return this.order('ContentActioned', minutes, { action: asRequested ? 'removed' : 'labelled', asRequested, actionedAt: minute(minutes) });
  }

  clock(type: string, minutes: number, data: object): this {
    this.history.tell('sejam.sla.v1', `clock-${this.orderId}`, type, minute(minutes), { clock: 'resolution', run: 1, orderId: this.orderId, ...data });
    return this;
  }

  /** Up to the order at the platform. */
  running(minutes = this.#about.at): this {
    return this.submitted(minutes).approved(minutes).erased(minutes).opened(minutes).joined(minutes).issued(minutes).delivered(minutes);
  }
}
