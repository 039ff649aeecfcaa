import { actions, refusalReasons } from '@sejam/contracts';
import type { Answer } from './answer.js';

export interface BodyFault {
  /** RFC 6901, into the body. */
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

export type ReadAnswer = { readonly orderId: string; readonly answer: Answer } | { readonly faults: readonly BodyFault[] };

export const answerTypes = [
  'order.acknowledged', 'order.clarification_requested', 'order.actioned', 'order.refused', 'order.objected', 'content.reinstated',
] as const satisfies readonly Answer['type'][];

const TEXT_MAX = 10_000;
const URL_MAX = 2_048;

/**
 * Reads what a platform sent: `{type, timestamp?, data}`. `envelope` names further fields beside them. Says every fault at once; a field
 * that no answer has is one, so that a platform that misspells a field learns of it.
 */
export function readAnswer(body: unknown, envelope: readonly string[] = []): ReadAnswer {
  const reader = new Reader();
  const message = reader.object(body, '', ['type', 'timestamp', 'data', ...envelope]);
  const type = reader.oneOf(message, 'type', '', answerTypes);
  reader.optional(message, 'timestamp', () => reader.time(message, 'timestamp', ''));
  if (type === undefined) return { faults: reader.faults };
  const data = reader.object(message['data'], '/data', ['orderId', ...fieldsOf[type]]);
  const orderId = reader.text(data, 'orderId', '/data', 100);
  const answer = answerOf(type, data, reader);
  return reader.faults.length > 0 || orderId === undefined || answer === undefined ? { faults: reader.faults } : { orderId, answer };
}

/** Beside `orderId`, by type. */
export const fieldsOf: Record<Answer['type'], readonly string[]> = {
  'order.acknowledged': [],
  'order.clarification_requested': ['question'],
  'order.actioned': ['action', 'territories', 'until', 'labelUrl', 'automated', 'actionedAt'],
  'order.refused': ['reason', 'explanation'],
  'order.objected': ['grounds'],
  'content.reinstated': ['reason'],
};

function answerOf(type: Answer['type'], data: Fields, reader: Reader): Answer | undefined {
  const text = (name: string): string => reader.text(data, name, '/data', TEXT_MAX) ?? '';
  switch (type) {
    case 'order.acknowledged':
      return { type };
    case 'order.clarification_requested':
      return { type, question: text('question') };
    case 'order.actioned':
      return actionOf(data, reader);
    case 'order.refused':
      return { type, reason: reader.oneOf(data, 'reason', '/data', refusalReasons) ?? 'other', explanation: text('explanation') };
    case 'order.objected':
      return { type, grounds: text('grounds') };
    case 'content.reinstated':
      return { type, reason: text('reason') };
  }
}

function actionOf(data: Fields, reader: Reader): Answer | undefined {
  const action = reader.oneOf(data, 'action', '/data', actions);
  const actionedAt = reader.time(data, 'actionedAt', '/data');
  const until = reader.optional(data, 'until', () => reader.time(data, 'until', '/data'));
  const labelUrl = reader.optional(data, 'labelUrl', () => reader.url(data, 'labelUrl', '/data'));
  const automated = reader.optional(data, 'automated', () => reader.oneOf(data, 'automated', '/data', ['yes', 'partly', 'no'] as const));
  const territories = reader.optional(data, 'territories', () => reader.territories(data, '/data'));
  if (action === undefined || actionedAt === undefined) return undefined;
  return {
    type: 'order.actioned',
    action,
    actionedAt,
    ...(territories === undefined ? {} : { territories }),
    ...(until === undefined ? {} : { until }),
    ...(labelUrl === undefined ? {} : { labelUrl }),
    ...(automated === undefined ? {} : { automated }),
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** Collects faults and goes on, so that one answer names them all. */
class Reader {
  readonly faults: BodyFault[] = [];

  object(value: unknown, pointer: string, fields: readonly string[]): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#fault(pointer, value === undefined ? 'required' : 'is-object', value === undefined ? 'This is required' : 'This must be a JSON object');
      return {};
    }
    for (const name of Object.keys(value)) {
      if (!fields.includes(name)) this.#fault(`${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1').slice(0, 64)}`, 'unknown-field', `There is no field named ${name.slice(0, 64)} here`);
    }
    return value as Fields;
  }

  optional<Value>(from: Fields, name: string, read: () => Value | undefined): Value | undefined {
    return from[name] === undefined ? undefined : read();
  }

  text(from: Fields, name: string, pointer: string, max: number): string | undefined {
    const value = from[name];
    if (typeof value === 'string' && value.trim() !== '' && value.length <= max) return value;
    this.#refuse(value, `${pointer}/${name}`, 'is-length', `${name} must be a text of 1 to ${max} characters`);
    return undefined;
  }

  oneOf<const Value extends string>(from: Fields, name: string, pointer: string, values: readonly Value[]): Value | undefined {
    const found = values.find((value) => value === from[name]);
    if (found === undefined) this.#refuse(from[name], `${pointer}/${name}`, 'is-in', `${name} must be one of ${values.join(', ')}`);
    return found;
  }

  time(from: Fields, name: string, pointer: string): string | undefined {
    const value = from[name];
    const isTime = typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i.test(value) && !Number.isNaN(Date.parse(value));
    if (isTime) return new Date(value).toISOString();
    this.#refuse(value, `${pointer}/${name}`, 'is-rfc3339', `${name} must be an RFC 3339 time`);
    return undefined;
  }

  url(from: Fields, name: string, pointer: string): string | undefined {
    const value = from[name];
    if (typeof value === 'string' && value.length <= URL_MAX && /^https?:\/\/\S+$/.test(value) && URL.canParse(value)) return value;
    this.#refuse(value, `${pointer}/${name}`, 'is-url', `${name} must be a web address of at most ${URL_MAX} characters`);
    return undefined;
  }

  territories(from: Fields, pointer: string): string[] | undefined {
    const value = from['territories'];
    const codes = Array.isArray(value) ? value.filter((code): code is string => typeof code === 'string' && /^[A-Z]{2}$/.test(code)) : [];
    if (Array.isArray(value) && value.length > 0 && value.length <= 250 && codes.length === value.length) return codes;
    this.#refuse(value, `${pointer}/territories`, 'territories', 'territories must be a list of ISO 3166-1 alpha-2 codes');
    return undefined;
  }

  #refuse(value: unknown, pointer: string, code: string, detail: string): void {
    this.#fault(pointer, value === undefined ? 'required' : code, value === undefined ? `${pointer.slice(pointer.lastIndexOf('/') + 1)} is required` : detail);
  }

  #fault(pointer: string, code: string, detail: string): void {
    if (this.faults.length < 100) this.faults.push({ pointer, code, detail });
  }
}
