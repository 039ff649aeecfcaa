import { DomainError, type Position } from '@sejam/event-sourcing';

/** One event as the conversation tells it: the attributes of CloudEvents 1.0.2 and the ProtoJSON of its message in `proto/`. */
export interface BusMessage<Data extends object = Record<string, unknown>> {
  /** The event's id; the same at every repetition. */
  readonly id: string;
  /** Such as `sejam.takedown.v1.OrderIssued`. */
  readonly type: string;
  /** `sejam://<recordId>/<service>` */
  readonly source: string;
  /** The stream, which is also the message's key: messages of one subject are in order. */
  readonly subject: string;
  /** Domain time of the decision (`at`), RFC 3339. */
  readonly time: string;
  /** The event's revision in its stream, contiguous; absent on heartbeats, which are no events. */
  readonly sequence?: number;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly traceparent?: string;
  readonly data: Data;
}

/** What goes through a bus: opaque but for its key. */
export interface Envelope {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly value: string;
  /** Where the event stands in the record it was taken from; kept by the log adapter. */
  readonly position?: Position;
}

/** What a bus hands over, not yet understood: anything may have been written into a topic. */
export interface ReceivedEnvelope {
  readonly topic: string;
  readonly partition: number;
  /** Decimal; rises within a partition. */
  readonly offset: string;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string | null;
  /** The value already read, where the bus has it so; `value` says the same. */
  readonly json?: object | undefined;
}

const SEQUENCE_DIGITS = 20;
const CONTENT_TYPE = 'application/json';

/** CloudEvents' Kafka binary mode: attributes in `ce_` headers, data as value. `position` travels beside them where the bus keeps it. */
export function toEnvelope(message: BusMessage, position?: Position): Envelope {
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: message.id,
    ce_type: message.type,
    ce_source: message.source,
    ce_subject: message.subject,
    ce_time: message.time,
    'content-type': CONTENT_TYPE,
  };
  if (message.sequence !== undefined) headers['ce_sequence'] = String(message.sequence).padStart(SEQUENCE_DIGITS, '0');
  if (message.correlationId !== undefined) headers['ce_correlationid'] = message.correlationId;
  if (message.causationId !== undefined) headers['ce_causationid'] = message.causationId;
  if (message.traceparent !== undefined) headers['traceparent'] = message.traceparent;
  return { key: message.subject, headers, value: JSON.stringify(message.data), ...(position === undefined ? {} : { position }) };
}

/** A heartbeat says that its publisher has nothing older to tell; it is no event, so no sequence counts it and no inbox keeps it. */
export function isHeartbeat(message: Pick<BusMessage, 'type' | 'sequence'>): boolean {
  return message.sequence === undefined && message.type.endsWith('.Heartbeat');
}

/** Understands a received envelope, or throws DomainError `message.malformed` that says what is wrong with it. */
export function fromEnvelope(envelope: Pick<ReceivedEnvelope, 'key' | 'headers' | 'value' | 'json'>): BusMessage {
  const { key, headers } = envelope;
  const required = (name: string): string => headers[name] || malformed(`it has no ${name}`);
  if (headers['ce_specversion'] !== '1.0') malformed(`ce_specversion is ${headers['ce_specversion'] ?? 'missing'}, not 1.0`);
  const subject = required('ce_subject');
  if (key !== subject) malformed(`its key ${key} is not its subject ${subject}`);
  const type = required('ce_type');
  const sequence = sequenceOf(headers);
  if (sequence === undefined && !isHeartbeat({ type })) malformed('it has no ce_sequence');
  const contentType = headers['content-type'] ?? '';
  if (contentType.split(';')[0]?.trim() !== CONTENT_TYPE) malformed(`its content type is "${contentType}"`);
  return {
    id: required('ce_id'),
    type,
    source: required('ce_source'),
    subject,
    time: required('ce_time'),
    ...(sequence === undefined ? {} : { sequence }),
    ...optional('correlationId', headers['ce_correlationid']),
    ...optional('causationId', headers['ce_causationid']),
    ...optional('traceparent', headers['traceparent']),
    // Not before it is needed: a bus may have to write the value first.
    data: (envelope.json as Record<string, unknown> | undefined) ?? parse(envelope.value),
  };
}

/** The revision a message claims, if it claims one; throws when what it claims is no revision. */
export function sequenceOf(headers: Readonly<Record<string, string>>): number | undefined {
  const text = headers['ce_sequence'];
  if (text === undefined) return undefined;
  if (!/^\d{1,20}$/.test(text) || !Number.isSafeInteger(Number(text))) malformed(`ce_sequence "${text}" is no revision`);
  return Number(text);
}

function parse(value: string | null): Record<string, unknown> {
  let data: unknown;
  try {
    data = JSON.parse(value ?? '');
  } catch (error) {
    malformed(`its value is no JSON: ${(error as Error).message}`);
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) malformed('its value is no JSON object');
  return data as Record<string, unknown>;
}

function optional<Name extends string>(name: Name, value: string | undefined): { readonly [key in Name]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [key in Name]?: string };
}

function malformed(what: string): never {
  throw new DomainError('message.malformed', 'invalid', `The message cannot be understood: ${what}`);
}
