import type { DescMessage } from '@bufbuild/protobuf';
import { ceTypeOf, topics, type Topic } from '@sejam/contracts';
import { schemaOfMessage, type JsonSchema } from './message-schema.js';
import { bodyOf, incoming, outgoing, webhookHeaders } from './webhook-messages.js';

const string = (description: string, further: JsonSchema = {}): JsonSchema => ({ type: 'string', description, ...further });

/** CloudEvents 1.0.2, binary mode. */
const eventHeaders: JsonSchema = {
  type: 'object',
  required: ['ce_specversion', 'ce_id', 'ce_type', 'ce_source', 'ce_subject', 'ce_time'],
  properties: {
    ce_specversion: { type: 'string', const: '1.0' },
    ce_id: string('Id of the event in the record, uuid v7'),
    ce_type: string('Such as sejam.takedown.v1.OrderIssued'),
    ce_source: string('sejam://<recordId>/<service>'),
    ce_subject: string('Id of the stream, which is also the key of the message'),
    ce_time: string('Recorded time', { format: 'date-time' }),
    ce_sequence: string('Revision in the stream, contiguous; skip what is not above the last of the subject. Absent on heartbeats.', { pattern: '^[0-9]{20}$' }),
    ce_correlationid: string('Ties together what came of one request'),
    ce_causationid: string('What led to the event'),
    traceparent: string('W3C trace context'),
  },
};

interface Message {
  readonly name: string;
  readonly title: string;
  readonly summary?: string;
  readonly contentType: 'application/json';
  readonly headers: JsonSchema;
  readonly payload: JsonSchema;
}

function build() {
  const channels: Record<string, object> = {};
  const operations: Record<string, object> = {};
  const messages: Record<string, Message> = {};
  const named = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));

  for (const topic of Object.keys(topics) as Topic[]) {
    const { service, messages: types } = topics[topic];
    const names = Object.entries<DescMessage>(types).map(([type, schema]) => {
      const name = ceTypeOf(topic, type);
      messages[name] = { name, title: type, contentType: 'application/json', headers: { $ref: '#/components/schemas/EventHeaders' }, payload: schemaOfMessage(schema) };
      return name;
    });
    channels[topic] = {
      address: topic,
      title: topic,
      description: `Published by ${service}; 12 partitions, key = stream id, kept for ever, at least once and in order per key.${topic === 'sejam.identity.v1' ? ' For our own services only.' : ''}`,
      servers: [{ $ref: '#/servers/kafka' }],
      messages: named(names),
    };
    operations[`publish.${topic}`] = { action: 'send', channel: { $ref: `#/channels/${topic}` }, summary: `What ${service} says happened` };
  }

  const webhooks = (channel: string, address: string, description: string, types: typeof outgoing, action: 'send' | 'receive'): void => {
    for (const [type, message] of Object.entries(types)) {
      messages[type] = { name: type, title: type, summary: message.summary, contentType: 'application/json', headers: { $ref: '#/components/schemas/WebhookHeaders' }, payload: bodyOf(type, message) };
    }
    const parameters = address.includes('{platform}') ? { parameters: { platform: { description: 'Such as tiktok' } } } : {};
    channels[channel] = { address, title: channel, description, messages: named(Object.keys(types)), ...parameters };
    operations[channel] = { action, channel: { $ref: `#/channels/${channel}` }, bindings: { http: { method: 'POST', bindingVersion: '0.3.0' } } };
  };
  webhooks('orders', '/', "Signed requests to the endpoint that a platform has set, with its `orders` secret (`v1`) and with our own ed25519 key (`v1a`), whose public half is at `/.well-known/sejam-webhook-keys.json`. The same bodies, in order and for ever, are at `/v1/platforms/{platform}/messages`.", outgoing, 'send');
  webhooks('answers', '/v1/platforms/{platform}/webhooks', "A platform's signed answers, with its `answers` secret (`v1`), with the ed25519 key that it has registered at `/v1/platforms/{platform}/answer-key` (`v1a`), or with both. A `v1a` must hold where there is one. 202 once they are in the record.", incoming, 'receive');

  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Sejam: topics and webhooks',
      version: '1.0.0',
      description: 'What services tell each other over Kafka, and what is exchanged with platforms by signed webhooks (Standard Webhooks 1.0). Fields may be added; none is renamed or removed.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: { kafka: { host: 'kafka.example:9092', protocol: 'kafka', description: 'The brokers that KAFKA_BROKERS names. Without Kafka the same messages are at /v1/events.' } },
    channels,
    operations,
    components: { messages, schemas: { EventHeaders: eventHeaders, WebhookHeaders: webhookHeaders } },
  } as const;
}

/** The AsyncAPI 3.0 document: every topic with its messages, and the webhooks of both directions. */
export const asyncApi = build();
