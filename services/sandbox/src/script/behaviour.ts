import type { Message } from '../order/order.js';

export const answerTypes = [
  'order.acknowledged',
  'order.clarification_requested',
  'order.actioned',
  'order.refused',
  'order.objected',
  'content.reinstated',
] as const;
export type AnswerType = (typeof answerTypes)[number];

/** What sets a step going. A message without steps for it is received and left at that. */
export const triggers = [
  'order.issued',
  'clarification.provided',
  'objection.upheld',
  'objection.dismissed',
  'order.withdrawn',
  'order.withdrawn.reinstate',
  'order.escalated',
  'deadline.approaching',
  'deadline.missed',
] as const;
export type Trigger = (typeof triggers)[number];

/** Domain time from the receipt of the trigger: seconds, or a share of the order's own terms. Drawn between the two numbers. */
export type Delay = { readonly seconds: readonly [number, number] } | { readonly ofAcknowledge: readonly [number, number] } | { readonly ofResolve: readonly [number, number] };

export interface Step {
  /** `order.issued` when absent. */
  readonly on?: Trigger;
  readonly after: Delay;
  readonly answer: AnswerType;
  /** Put over what the answer would say by itself. */
  readonly with?: Readonly<Record<string, unknown>>;
  /** How often the very same answer is sent, at once. 1 when absent. */
  readonly copies?: number;
  /** Signed with a secret that nobody gave out, or with a timestamp of an hour ago: must be turned away. */
  readonly fault?: 'bad_signature' | 'stale';
}

/** How the endpoint takes one delivery attempt. */
export interface Reception {
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  /** Domain seconds before it answers. */
  readonly delaySeconds?: number;
  /** Never answers. */
  readonly hang?: boolean;
  /** Cuts the connection. */
  readonly reset?: boolean;
}

/** One way in which a platform may treat an order. Pure data, so that a script may hold its own. */
export interface Behaviour {
  /** For the first attempts of `order.issued`, one each; the attempt after the last of them succeeds. */
  readonly receive?: readonly Reception[];
  readonly answers: readonly Step[];
}

const seconds = (from: number, to: number): Delay => ({ seconds: [from, to] });
const ofAcknowledge = (from: number, to: number): Delay => ({ ofAcknowledge: [from, to] });
const ofResolve = (from: number, to: number): Delay => ({ ofResolve: [from, to] });

const acknowledged: Step = { after: ofAcknowledge(0.05, 0.6), answer: 'order.acknowledged' };
const actioned: Step = { after: ofResolve(0.1, 0.7), answer: 'order.actioned' };

/** Every way the contract knows, by name. */
export const behaviours = {
  /** For trying out: answers while one watches. */
  prompt: { answers: [{ after: seconds(1, 2), answer: 'order.acknowledged' }, { after: seconds(4, 8), answer: 'order.actioned' }] },
  fast: { answers: [acknowledged, actioned] },
  late: { answers: [{ ...acknowledged, after: ofAcknowledge(1.2, 2.5) }, { ...actioned, after: ofResolve(1.05, 1.6) }] },
  /** Acts only when a letter comes. */
  urged: { answers: [acknowledged, { on: 'order.escalated', after: seconds(60, 600), answer: 'order.actioned' }] },
  never: { answers: [] },
  acknowledged_only: { answers: [acknowledged] },
  refused: { answers: [acknowledged, { after: ofResolve(0.1, 0.8), answer: 'order.refused' }] },
  /** Did something else than was asked. */
  otherwise: { answers: [acknowledged, { ...actioned, with: { action: 'demoted' } }] },
  clarification: {
    answers: [
      { after: ofAcknowledge(0.1, 0.8), answer: 'order.clarification_requested' },
      { on: 'clarification.provided', after: seconds(60, 900), answer: 'order.actioned' },
    ],
  },
  objection: {
    answers: [
      { ...acknowledged, after: ofAcknowledge(0.05, 0.3) },
      { after: ofResolve(0.2, 0.8), answer: 'order.objected' },
      { on: 'objection.dismissed', after: seconds(120, 1200), answer: 'order.actioned' },
    ],
  },
  /** Acts and objects; the content comes back when the objection is upheld. */
  contested: {
    answers: [
      { ...actioned, after: ofResolve(0.1, 0.4) },
      { after: ofResolve(0.45, 0.8), answer: 'order.objected' },
      { on: 'order.withdrawn.reinstate', after: seconds(60, 600), answer: 'content.reinstated' },
    ],
  },
  reinstated: { answers: [acknowledged, { ...actioned, after: ofResolve(0.1, 0.4) }, { after: ofResolve(1.5, 3), answer: 'content.reinstated' }] },
  out_of_order: { answers: [{ ...actioned, after: ofAcknowledge(0.1, 0.4) }, { ...acknowledged, after: ofAcknowledge(0.5, 0.9) }] },
  /** The same answer three times at once, and once more under another id. */
  duplicated: { answers: [{ ...acknowledged, copies: 3 }, { ...actioned, after: ofResolve(0.1, 0.5), copies: 3 }, { ...actioned, after: ofResolve(0.55, 0.7) }] },
  /** Answers before it has taken the order in. */
  hasty: { receive: [{ status: 202, delaySeconds: 8 }], answers: [{ after: seconds(0, 1), answer: 'order.acknowledged' }, actioned] },
  failing: { receive: [{ status: 500 }, { status: 503, retryAfterSeconds: 20 }, { hang: true }, { reset: true }], answers: [acknowledged, actioned] },
  gone: { receive: [{ status: 410 }, { status: 410 }, { status: 410 }], answers: [acknowledged, actioned] },
  bad_signature: {
    answers: [
      { ...acknowledged, after: ofAcknowledge(0.05, 0.3), fault: 'bad_signature' },
      { ...acknowledged, after: ofAcknowledge(0.3, 0.5), fault: 'stale' },
      { ...acknowledged, after: ofAcknowledge(0.6, 0.9) },
      actioned,
    ],
  },
} as const satisfies Record<string, Behaviour>;

export interface PlannedAnswer {
  /** Place of its step in the behaviour: with the message's id it names the answer for ever. */
  readonly step: number;
  /** Domain seconds after the message was received. */
  readonly afterSeconds: number;
  /** The exact body that will be signed and sent. */
  readonly body: string;
  readonly type: AnswerType;
  readonly copies: number;
  readonly fault?: 'bad_signature' | 'stale';
}

/**
 * What a platform of this behaviour answers to a message, and when. `order` is the `order.issued` it is about; `randomFor` gives each step
 * its own random numbers. The same arguments give the same bodies, so a plan can be made again after a crash.
 */
export function planAnswers({ message, order, behaviour, randomFor }: {
  message: Message;
  order: Message;
  behaviour: Behaviour;
  randomFor: (step: number) => () => number;
}): PlannedAnswer[] {
  const trigger = triggerOf(message);
  return behaviour.answers.flatMap((step, index) => {
    if (!trigger.includes(step.on ?? 'order.issued')) return [];
    const random = randomFor(index);
    const afterSeconds = Math.round(drawDelay(step.after, order, random) * 1000) / 1000;
    // Claimed times lie on the clearing house's own time line, which need not run as fast as ours.
    const at = new Date(Date.parse(message.timestamp) + afterSeconds * 1000).toISOString();
    const data = { orderId: order.data.orderId, ...contentOf(step.answer, order, at, random), ...step.with };
    return {
      step: index,
      afterSeconds,
      body: JSON.stringify({ type: step.answer, timestamp: at, data }),
      type: step.answer,
      copies: step.copies ?? 1,
      ...(step.fault === undefined ? {} : { fault: step.fault }),
    };
  });
}

function triggerOf({ type, data }: Message): readonly string[] {
  if (type === 'objection.ruled') return [`objection.${data.ruling}`];
  if (type === 'order.withdrawn' && data.reinstate) return [type, 'order.withdrawn.reinstate'];
  return [type];
}

function drawDelay(delay: Delay, { data }: Message, random: () => number): number {
  const [range, unit] =
    'seconds' in delay ? [delay.seconds, 1]
    : 'ofAcknowledge' in delay ? [delay.ofAcknowledge, 60 * (data.terms?.acknowledgeWithinMinutes ?? 10)]
    : [delay.ofResolve, 60 * (data.terms?.resolveWithinMinutes ?? 60)];
  return (range[0] + (range[1] - range[0]) * random()) * unit;
}

const refusals = [
  ['not_illegal_here', 'Our review found neither a breach of the cited provisions nor of our community standards.'],
  ['insufficient_information', 'The cited passage could not be found in the content.'],
  ['protected_speech', 'The content is satire and recognisable as such.'],
  ['not_found', 'The content does not exist any more.'],
] as const;

function contentOf(type: AnswerType, { data }: Message, at: string, random: () => number): Record<string, unknown> {
  switch (type) {
    case 'order.acknowledged':
      return {};
    case 'order.clarification_requested':
      return { question: 'Which passage of the content is meant?' };
    case 'order.actioned': {
      const action = data.requestedAction ?? 'removed';
      return {
        action,
        ...(action === 'access_disabled' && data.territories ? { territories: data.territories } : {}),
        ...(action === 'labelled' && data.clarificationUrl ? { labelUrl: data.clarificationUrl } : {}),
        automated: (['yes', 'partly', 'no'] as const)[Math.floor(random() * 3)],
        actionedAt: at,
      };
    }
    case 'order.refused': {
      const [reason, explanation] = refusals[Math.floor(random() * refusals.length)] as (typeof refusals)[number];
      return { reason, explanation };
    }
    case 'order.objected':
      return { grounds: 'The content reports on the claim in order to refute it; taking it down would silence the correction.' };
    case 'content.reinstated':
      return { reason: 'Our appeals team reversed the decision.' };
  }
}
