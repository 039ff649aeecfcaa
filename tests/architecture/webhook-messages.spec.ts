import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { describe, expect, it } from '@jest/globals';
import { actions, refusalReasons } from '@sejam/contracts';
import { specFor, type Given } from '@sejam/event-sourcing/testing';
import { bodyOf, incoming, outgoing } from '../../services/gateway/src/document/webhook-messages.js';
import { answerTypes, fieldsOf, readAnswer } from '../../services/routing/src/answer/answer-body.js';
import { passDeadline } from '../../services/routing/src/takedown/deadline.js';
import { join } from '../../services/routing/src/takedown/joining.js';
import { addressed, pingBody } from '../../services/routing/src/takedown/messages.js';
import { rule } from '../../services/routing/src/takedown/order.js';
import { takedown, type TakedownEvent } from '../../services/routing/src/takedown/takedown.js';
import { actioned, asked, content, issued, issuing, joining, minute, objected, orderId, shortLink, underway } from '../../services/routing/src/takedown/takedown.example.js';

interface Schema {
  readonly type?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly enum?: readonly string[];
}

type Message = { readonly type: string; readonly data: Readonly<Record<string, unknown>> };

const ajv = formats.default(new Ajv({ allErrors: true, strict: true }));

/** What the AsyncAPI document says of this message that is not so; empty when it is described as it is. */
function faults(messages: typeof outgoing, message: Message): string[] {
  const described = messages[message.type];
  if (described === undefined) return [`${message.type} is not described`];
  const valid = ajv.compile(bodyOf(message.type, described));
  valid(message);
  return [...(valid.errors ?? []).map(({ instancePath, message: said }) => `${message.type}${instancePath} ${said}`), ...unnamed(described.data as Schema, message.data, message.type)];
}

/** Fields of a value that its schema leaves unmentioned. More may be sent than is described; what we know of is described. */
function unnamed(schema: Schema, value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => unnamed(schema.items ?? {}, item, `${path}[]`));
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const described = schema.properties?.[name];
    return described === undefined ? [`${path}.${name} is not described`] : unnamed(described, inner, `${path}.${name}`);
  });
}

/** Every path that a schema describes. */
function paths(schema: Schema, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => [`${path}.${name}`, ...paths(inner.items ?? inner, `${path}.${name}`)]);
}

function pathsSent(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsSent(item, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [`${path}.${name}`, ...pathsSent(inner, `${path}.${name}`)]);
}

const recipient = { hasEndpoint: true, desk: 'desk@sejam.example', redress: 'Object within the order.' };
const { given } = specFor(takedown);

/** What routing writes to platforms when these things are decided. */
function sent(history: readonly Given<TakedownEvent>[], ...decided: TakedownEvent[]): Message[] {
  return messagesOf(given(...history).when((state, context) => addressed(state, decided, context, recipient), { at: minute(50) }).events);
}

function messagesOf(events: readonly { readonly metadata: { readonly message?: { readonly body: string } } }[]): Message[] {
  return events.flatMap(({ metadata: { message } }) => (message === undefined ? [] : [JSON.parse(message.body) as Message]));
}

const evidence = Array.from({ length: 60 }, (_, index) => ({ mediaType: 'image/png', sha256: index.toString(16).padStart(64, '0'), size: 48_211, uri: `https://evidence.example/${'x'.repeat(400)}/${index}.png` }));
const ruling = (ruled: 'upheld' | 'dismissed') => ({ ruling: ruled, reason: 'Read again', ruledBy: 'kpu', holder: 'officer:third' });
const reopened: TakedownEvent = { type: 'TakedownReopened', data: { round: 2, cause: 'reappeared', reason: 'Seen again', reopenedBy: 'kominfo' } };
const whole = joining({ note: 'at 0:12', language: 'id', evidence, territories: ['ID'], clarificationUrl: 'https://kpu.example/fact', factCheck: { url: 'https://kpu.example/fact', statement: 'It did not move' } });

const messages: readonly Message[] = [
  ...messagesOf(given().when((state, context) => addressed(state, join(state, content, whole, issuing(1)), context, recipient)).events),
  ...messagesOf(given().when((state, context) => addressed(state, join(state, content, joining(), issuing(1)), context, recipient)).events),
  ...sent(underway, reopened, issued(2, minute(9))),
  ...sent(underway, { type: 'OrderWithdrawn', data: { orderId, cause: 'issuer', reason: 'No longer needed', withdrawnBy: 'kominfo' } }),
  ...sent([...underway, actioned(minute(5))], { type: 'OrderWithdrawn', data: { orderId, cause: 'reports_withdrawn', reason: 'No longer needed', withdrawnBy: 'kominfo' } }),
  ...sent(underway, { type: 'TakedownMerged', data: { into: 'b', contentKey: shortLink.contentKey, reports: ['report-1'] } }, { type: 'OrderWithdrawn', data: { orderId, cause: 'merged', reason: 'Merged', withdrawnBy: 'sejam' } }),
  ...sent([...underway, asked(minute(5))], { type: 'ClarificationProvided', data: { orderId, answer: 'At 0:12', providedBy: 'kominfo' } }),
  ...(['upheld', 'dismissed'] as const).flatMap((ruled) => messagesOf(given(...underway, objected(minute(5))).when((state, context) => addressed(state, rule(state, ruling(ruled)), context, recipient), { at: minute(50) }).events)),
  ...(['acknowledgement', 'resolution'] as const).flatMap((clock) => messagesOf(given(...underway).when((state, context) => addressed(state, passDeadline(state, { clock, orderId, run: 1, due: minute(clock === 'resolution' ? 60 : 10) }), context, recipient)).events)),
  ...sent(underway, { type: 'WarningIssued', data: { orderId, clock: 'resolution', run: 1, due: minute(60) } }),
  ...([2, 3, 4, 5] as const).flatMap((level) => sent(underway, { type: 'Escalated', data: { orderId, n: 1, level, letterNumber: 'ST-1/2024', reason: 'Unanswered', approvedBy: 'kominfo' } })),
  JSON.parse(pingBody({ platform: 'tiktok', test: false, at: new Date(minute(0)) })) as Message,
];

describe('the messages to platforms', () => {
  it('are what the AsyncAPI document says of them, each of its types among them', () => {
    expect([...new Set(messages.map(({ type }) => type))].sort()).toEqual(Object.keys(outgoing).sort());
    expect(messages.flatMap((message) => faults(outgoing, message))).toEqual([]);
  });

  it('have every field that the document names', () => {
    const seen = new Set(messages.flatMap(({ type, data }) => pathsSent(data, type)));
    const described = Object.entries(outgoing).flatMap(([type, { data }]) => paths(data as Schema, type));
    expect(described.length).toBeGreaterThan(80);
    expect(described.filter((path) => !seen.has(path))).toEqual([]);
  });

  it('are found wanting when a field is missing, too many, or of another kind', () => {
    const message = messages.find(({ type }) => type === 'deadline.missed') as Message;
    const changed = (data: object): string[] => faults(outgoing, { ...message, data: { ...message.data, ...data } });
    expect(changed({ due: undefined })).toEqual([expect.stringContaining("required property 'due'")]);
    expect(changed({ hue: 1 })).toEqual(['deadline.missed.hue is not described']);
    expect(changed({ due: 'tomorrow' })).toEqual([expect.stringContaining('/data/due must match format')]);
    expect(faults(outgoing, { ...message, type: 'deadline.moved' })).toEqual(['deadline.moved is not described']);
  });
});

describe('the answers of platforms', () => {
  const values: Readonly<Record<string, unknown>> = {
    orderId, question: 'Which minute?', action: 'access_disabled', territories: ['ID'], until: minute(60), labelUrl: 'https://kpu.example/fact', automated: 'partly', actionedAt: minute(5),
    reason: 'other', explanation: 'Satire', grounds: 'Parody',
  };
  const fields = (type: string): Schema => incoming[type]?.data as Schema;
  const read = (type: string, data: object): string[] => {
    const answer = readAnswer({ type, timestamp: minute(5), data });
    return 'faults' in answer ? answer.faults.map(({ pointer, code }) => `${pointer} ${code}`) : [];
  };

  it('may say what the document says, and nothing else', () => {
    expect(Object.keys(incoming).sort()).toEqual([...answerTypes].sort());
    for (const type of answerTypes) expect([type, Object.keys(fields(type).properties ?? {}).sort()]).toEqual([type, ['orderId', ...fieldsOf[type]].sort()]);
  });

  it.each(answerTypes)('of type %s are taken by routing as the document describes them, and refused without what it asks for', (type) => {
    const data = Object.fromEntries(Object.keys(fields(type).properties ?? {}).map((name) => [name, values[name]]));
    const body = { type, timestamp: minute(5), data };
    expect([faults(incoming, body), read(type, data)]).toEqual([[], []]);
    for (const name of Object.keys(data)) {
      const { [name]: _, ...rest } = data;
      const required = fields(type).required?.includes(name) === true;
      expect([name, read(type, rest).length > 0, faults(incoming, { ...body, data: rest }).length > 0]).toEqual([name, required, required]);
    }
  });

  it('choose from the words of the taxonomy', () => {
    expect(fields('order.actioned').properties?.['action']?.enum).toEqual(actions);
    expect(fields('order.refused').properties?.['reason']?.enum).toEqual(refusalReasons);
  });
});
