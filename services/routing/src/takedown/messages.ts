import type { Decided, DecisionContext, RecordedEvent } from '@sejam/event-sourcing';
import { clockOf } from './order-clocks.js';
import { orderOf, takedown, type Evidence, type KnownTakedown, type Order, type Takedown, type TakedownEvent } from './takedown.js';

/** No body is larger, so that no platform's front end cuts one off. UTF-8 bytes. */
export const MESSAGE_BYTES_MAX = 20_000;

export interface Recipient {
  /** Without an endpoint the platform reads its feed: what is written there is delivered at once. */
  readonly hasEndpoint: boolean;
  /** Where the platform's people reach ours. */
  readonly desk: string;
  /** How an order is contested, in words. */
  readonly redress: string;
}

type Place = Pick<DecisionContext, 'at' | 'idOf' | 'revisionOf'>;

/** A test of an endpoint; it is about no takedown, and no event keeps it. */
export function pingBody({ platform, test, at }: { platform: string; test: boolean; at: Date }): string {
  return JSON.stringify({ type: 'endpoint.ping', timestamp: at.toISOString(), data: { platform, test } });
}

/**
 * Gives each event that sends something to the platform its exact body, written once and never changed; for a platform without an
 * endpoint the delivery by feed follows in the same append.
 */
export function addressed(state: Takedown, events: readonly Decided<TakedownEvent>[], place: Place, recipient: Recipient): Decided<TakedownEvent>[] {
  const decided: Decided<TakedownEvent>[] = [];
  let now = state;
  const append = (event: Decided<TakedownEvent>): void => {
    now = takedown.evolve(now, asRecorded(event, decided.length, place));
    decided.push(event);
  };
  for (const event of events) {
    const index = decided.length;
    // A message tells of the state that its own event leads to.
    const after = takedown.evolve(now, asRecorded(event, index, place));
    const message = after.status === 'none' ? undefined : messageOf(after, event, { at: place.at, sequence: place.revisionOf(index) + 1, recipient });
    if (message === undefined) {
      append(event);
      continue;
    }
    append({ ...event, metadata: { ...event.metadata, message } });
    if (recipient.hasEndpoint || !('orderId' in event.data)) continue;
    const { orderId } = event.data;
    const webhookId = place.idOf(index);
    if (event.type !== 'OrderIssued') append({ type: 'NoticeDelivered', data: { orderId, webhookId, via: 'feed' } });
    else append({ type: 'OrderDelivered', data: { orderId, via: 'feed', webhookId } });
  }
  return decided;
}

function asRecorded(event: Decided<TakedownEvent>, index: number, { at, idOf, revisionOf }: Place): RecordedEvent<TakedownEvent> {
  const by = { organisation: 'sejam', holder: 'system:routing' };
  const metadata = { at: at.toISOString(), by, causationId: '', correlationId: '' };
  return { ...event, id: idOf(index), stream: '', revision: revisionOf(index), metadata: { ...event.metadata, ...metadata } };
}

interface Writing {
  readonly at: Date;
  readonly sequence: number;
  readonly recipient: Recipient;
}

function messageOf(state: KnownTakedown, event: TakedownEvent, writing: Writing): { type: string; body: string } | undefined {
  const order = 'orderId' in event.data ? orderOf(state, event.data.orderId) : undefined;
  if (order === undefined) return undefined;
  switch (event.type) {
    case 'OrderIssued':
      return orderIssuedMessage(state, order, event.data, writing);
    case 'OrderWithdrawn': {
      const { cause, reason, withdrawnBy } = event.data;
      const into = cause === 'merged' ? { mergedInto: state.merged?.into } : {};
      return notice('order.withdrawn', state, order, { cause, reason, withdrawnBy, reinstate: order.actioned, ...into }, writing);
    }
    case 'ClarificationProvided': {
      const { answer, providedBy } = event.data;
      return notice('clarification.provided', state, order, { question: order.question, answer, providedBy, resolveBy: resolveBy(order, 1) }, writing);
    }
    case 'ObjectionUpheld':
    case 'ObjectionDismissed': {
      const { reason, ruledBy } = event.data;
      const ruling = event.type === 'ObjectionUpheld' ? 'upheld' : 'dismissed';
      return notice('objection.ruled', state, order, { ruling, reason, ruledBy, resolveBy: ruling === 'upheld' ? undefined : resolveBy(order, 2) }, writing);
    }
    case 'EscalationDue':
      return event.data.level === 1 ? notice('order.escalated', state, order, { level: 1, step: 'reminder', status: order.status }, writing) : undefined;
    case 'Escalated': {
      const { n, level, letterNumber, reason } = event.data;
      return notice('order.escalated', state, order, { level, step: steps[level], n, letterNumber, reason, status: order.status }, writing);
    }
    case 'WarningIssued': {
      const { clock, run, due } = event.data;
      return notice('deadline.approaching', state, order, { clock, run, due, status: order.status }, writing);
    }
    case 'DeadlinePassed': {
      const { clock, run, due } = event.data;
      if (clock !== 'acknowledgement' && clock !== 'resolution') return undefined;
      return notice('deadline.missed', state, order, { clock, run, due, status: order.status }, writing);
    }
    default:
      return undefined;
  }
}

const steps = { 2: 'ST1', 3: 'ST2', 4: 'ST3', 5: 'proposal_to_block' } as const;

function resolveBy(order: Order, run: number): string | undefined {
  return clockOf(order, 'resolution', run)?.due.toISOString();
}

function notice(type: string, state: KnownTakedown, order: Order, further: object, { at, sequence }: Writing): { type: string; body: string } {
  const data = { ...heading(state, order, sequence), contentKey: state.contentKey, ...further };
  return { type, body: JSON.stringify({ type, timestamp: at.toISOString(), data }) };
}

function heading({ takedownId, platform, product }: KnownTakedown, { orderId, round, test }: Order, sequence: number): object {
  return { orderId, takedownId, round, sequence, test, platform, product };
}

function orderIssuedMessage(
  state: KnownTakedown,
  order: Order,
  issued: Extract<TakedownEvent, { type: 'OrderIssued' }>['data'],
  { at, sequence, recipient }: Writing,
): { type: string; body: string } {
  const type = 'order.issued';
  const basis = state.reports.findLast(({ reasons, decidedBy, requestedAction }) =>
    reasons === issued.reasons && decidedBy === issued.decidedBy && requestedAction === issued.requestedAction);
  const evidence = [...new Map(state.reports.flatMap((report) => report.evidence ?? []).map((piece) => [piece.sha256, piece])).values()];
  const { policy, version, acknowledgeWithinMinutes, resolveWithinMinutes } = issued.terms;
  const reopening = state.reopening?.round === issued.round ? { cause: state.reopening.cause, reason: state.reopening.reason } : undefined;
  const written = (pieces: readonly Evidence[], limit: number): string =>
    JSON.stringify({
      type,
      timestamp: at.toISOString(),
      data: {
        ...heading(state, order, sequence),
        content: { url: basis?.submittedUrl ?? state.submittedUrl, canonicalUrl: state.canonicalUrl, contentKey: state.contentKey, note: cut(basis?.note, limit) },
        category: issued.category,
        contentForm: basis?.contentForm,
        language: basis?.language,
        legalBasis: issued.legalBasis,
        reasons: cut(issued.reasons, limit),
        factCheck: basis?.factCheck === undefined ? undefined : { url: basis.factCheck.url, statement: cut(basis.factCheck.statement, limit) },
        evidence: pieces,
        ...(pieces.length < evidence.length ? { evidenceOmitted: evidence.length - pieces.length } : {}),
        reports: issued.reports,
        requestedAction: issued.requestedAction,
        clarificationUrl: issued.clarificationUrl,
        territories: issued.territories,
        decidedBy: issued.decidedBy,
        decidedAt: basis?.approvedAt,
        issuedBy: issued.issuedBy,
        issuedAt: at.toISOString(),
        terms: { policy, version, acknowledgeWithinMinutes, resolveWithinMinutes },
        reopening,
        contact: { desk: recipient.desk },
        redress: { text: recipient.redress },
      },
    });

  let pieces = evidence;
  let body = written(pieces, Infinity);
  while (Buffer.byteLength(body) > MESSAGE_BYTES_MAX && pieces.length > 0) {
    pieces = pieces.slice(0, -1);
    body = written(pieces, Infinity);
  }
  // Only texts of many thousand bytes get here: every one of them is shortened alike until the body fits.
  for (let limit = 2_000; Buffer.byteLength(body) > MESSAGE_BYTES_MAX && limit > 50; limit = Math.floor(limit * 0.8)) body = written(pieces, limit);
  return { type, body };
}

/** In code points, so that no character is cut in half. */
function cut(text: string | undefined, limit: number): string | undefined {
  if (text === undefined || text.length <= limit) return text;
  return `${[...text].slice(0, limit).join('')}…`;
}
