import { actions, categories, contentForms, refusalReasons, requestableActions } from '@sejam/contracts';
import type { JsonSchema } from './message-schema.js';

const text: JsonSchema = { type: 'string' };
const time: JsonSchema = { type: 'string', format: 'date-time' };
const link: JsonSchema = { type: 'string', format: 'uri' };
const count: JsonSchema = { type: 'integer', minimum: 0 };

function record(required: Readonly<Record<string, JsonSchema>>, optional: Readonly<Record<string, JsonSchema>> = {}): JsonSchema {
  return { type: 'object', required: Object.keys(required), properties: { ...required, ...optional } };
}

const list = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
const oneOf = (...values: readonly string[]): JsonSchema => ({ type: 'string', enum: values });

/** In every message about an order: which one, and the place within its takedown. */
const about = { orderId: text, takedownId: text, round: count, sequence: count, test: { type: 'boolean' }, platform: text, product: text };
/** In every message but the order itself. */
const notice = { ...about, contentKey: text };
const status = { ...text, description: "The order's, as we know it" };

interface WebhookMessage {
  readonly summary: string;
  readonly data: JsonSchema;
}

/** What platforms receive, by `type`. Fields that are not named here may be added. */
export const outgoing: Readonly<Record<string, WebhookMessage>> = {
  'order.issued': {
    summary: 'A content is to be dealt with. The clocks run from your 2xx.',
    data: record(
      {
        ...about,
        content: record({ url: link, canonicalUrl: link, contentKey: text }, { note: text }),
        category: oneOf(...categories),
        contentForm: oneOf(...contentForms),
        legalBasis: list(record({ code: text, title: text })),
        reasons: text,
        reports: count,
        requestedAction: oneOf(...requestableActions),
        decidedBy: text,
        decidedAt: time,
        issuedBy: text,
        issuedAt: time,
        terms: record({ policy: text, version: count, acknowledgeWithinMinutes: count, resolveWithinMinutes: count }),
        contact: record({ desk: text }),
        redress: record({ text }),
      },
      {
        language: text,
        factCheck: record({}, { url: link, statement: text }),
        evidence: list(record({ mediaType: text, sha256: text, size: count }, { uri: link })),
        evidenceOmitted: count,
        clarificationUrl: link,
        territories: list(text),
        reopening: record({ cause: text, reason: text }),
      },
    ),
  },
  'order.withdrawn': {
    summary: 'The order is withdrawn: nothing more is asked, except to bring back what was acted on where `reinstate` says so.',
    data: record({ ...notice, cause: oneOf('issuer', 'reports_withdrawn', 'objection_upheld', 'merged'), reason: text, withdrawnBy: text, reinstate: { type: 'boolean' } }, { mergedInto: text }),
  },
  'clarification.provided': { summary: 'The answer to your question.', data: record({ ...notice, question: text, answer: text, providedBy: text, resolveBy: time }) },
  'objection.ruled': {
    summary: 'What was decided about your objection. Dismissed, the order is to be resolved by `resolveBy`.',
    data: record({ ...notice, ruling: oneOf('upheld', 'dismissed'), reason: text, ruledBy: text }, { resolveBy: time }),
  },
  'order.escalated': {
    summary: 'A further step after a missed deadline: 1 is a reminder, those above are taken by officers.',
    data: record({ ...notice, level: count, step: oneOf('reminder', 'ST1', 'ST2', 'ST3', 'proposal_to_block'), status }, { n: count, letterNumber: text, reason: text }),
  },
  'deadline.approaching': { summary: 'The order is still open and will be due soon.', data: record({ ...notice, clock: text, run: count, due: time, status }) },
  'deadline.missed': { summary: 'A deadline has passed unanswered.', data: record({ ...notice, clock: text, run: count, due: time, status }) },
  'endpoint.ping': { summary: 'A test of the endpoint. Answer 2xx.', data: record({ platform: text, test: { type: 'boolean' } }) },
};

/** What platforms answer, by `type`. */
export const incoming: Readonly<Record<string, WebhookMessage>> = {
  'order.acknowledged': { summary: 'You have it in work.', data: record({ orderId: text }) },
  'order.clarification_requested': { summary: 'You need to know more.', data: record({ orderId: text, question: text }) },
  'order.actioned': {
    summary: 'You have acted.',
    data: record({ orderId: text, action: oneOf(...actions), actionedAt: time }, { territories: list(text), until: time, labelUrl: link, automated: oneOf('yes', 'partly', 'no') }),
  },
  'order.refused': {
    summary: 'You do not act, and say why.',
    data: record({
      orderId: text,
      reason: oneOf(...refusalReasons),
      explanation: text,
    }),
  },
  'order.objected': { summary: 'You dispute the order.', data: record({ orderId: text, grounds: text }) },
  'content.reinstated': { summary: 'The content is back, on purpose.', data: record({ orderId: text, reason: text }) },
};

/** The whole body: what kind, when, and about what. */
export function bodyOf(type: string, { data }: WebhookMessage): JsonSchema {
  return record({ type: { type: 'string', const: type }, timestamp: time, data });
}

/** Standard Webhooks 1.0. */
export const webhookHeaders: JsonSchema = record({
  'webhook-id': { type: 'string', description: 'The same in every attempt' },
  'webhook-timestamp': { type: 'string', description: 'Seconds since 1970; at most five minutes off' },
  'webhook-signature': {
    type: 'string',
    description:
      'Separated by spaces: `v1,<base64>`, HMAC-SHA256 with a shared secret, and `v1a,<base64>`, ed25519, each over id, timestamp and body, joined by full stops. '
      + 'In a rotation there are several of a scheme.',
  },
});
