import { type DescMessage, fromJson, type JsonObject, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import * as identity from './generated/sejam/identity/v1/organisation_events_pb.js';
import * as intake from './generated/sejam/intake/v1/report_events_pb.js';
import * as sla from './generated/sejam/sla/v1/clock_events_pb.js';
import * as takedown from './generated/sejam/takedown/v1/takedown_events_pb.js';

/** Every topic, the service that publishes it, and the message of every `ce_type` on it. */
export const topics = {
  'sejam.intake.v1': {
    service: 'intake',
    categories: ['report'],
    messages: {
      ReportSubmitted: intake.ReportSubmittedSchema,
      ReportUnroutable: intake.ReportUnroutableSchema,
      ReportAmended: intake.ReportAmendedSchema,
      ContentsApproved: intake.ContentsApprovedSchema,
      ContentsDeclined: intake.ContentsDeclinedSchema,
      ReportWithdrawn: intake.ReportWithdrawnSchema,
      DeadlinePassed: intake.DeadlinePassedSchema,
      ErasureRequested: intake.ErasureRequestedSchema,
      ErasureWithdrawn: intake.ErasureWithdrawnSchema,
      SubjectErased: intake.SubjectErasedSchema,
    },
  },
  'sejam.identity.v1': {
    service: 'intake',
    categories: ['organisation'],
    messages: {
      OrganisationRegistered: identity.OrganisationRegisteredSchema,
      OfficerAdded: identity.OfficerAddedSchema,
      KeyIssued: identity.KeyIssuedSchema,
      KeyRotated: identity.KeyRotatedSchema,
      KeyRevoked: identity.KeyRevokedSchema,
      ErasureRequested: identity.ErasureRequestedSchema,
      ErasureWithdrawn: identity.ErasureWithdrawnSchema,
      SubjectErased: identity.SubjectErasedSchema,
      Heartbeat: identity.HeartbeatSchema,
    },
  },
  'sejam.takedown.v1': {
    service: 'routing',
    categories: ['takedown'],
    messages: {
      TakedownOpened: takedown.TakedownOpenedSchema,
      ReportJoined: takedown.ReportJoinedSchema,
      ReportLeft: takedown.ReportLeftSchema,
      OrderIssued: takedown.OrderIssuedSchema,
      OrderDelivered: takedown.OrderDeliveredSchema,
      OrderDeliveryFailed: takedown.OrderDeliveryFailedSchema,
      OrderDeemedDelivered: takedown.OrderDeemedDeliveredSchema,
      OrderAcknowledged: takedown.OrderAcknowledgedSchema,
      ClarificationRequested: takedown.ClarificationRequestedSchema,
      ClarificationProvided: takedown.ClarificationProvidedSchema,
      ContentActioned: takedown.ContentActionedSchema,
      OrderRefused: takedown.OrderRefusedSchema,
      ObjectionRaised: takedown.ObjectionRaisedSchema,
      ObjectionUpheld: takedown.ObjectionUpheldSchema,
      ObjectionDismissed: takedown.ObjectionDismissedSchema,
      OrderWithdrawn: takedown.OrderWithdrawnSchema,
      RemovalVerified: takedown.RemovalVerifiedSchema,
      ContentStillOnline: takedown.ContentStillOnlineSchema,
      ContentReappeared: takedown.ContentReappearedSchema,
      ContentReinstated: takedown.ContentReinstatedSchema,
      TakedownReopened: takedown.TakedownReopenedSchema,
      WarningIssued: takedown.WarningIssuedSchema,
      DeadlinePassed: takedown.DeadlinePassedSchema,
      NoticeDelivered: takedown.NoticeDeliveredSchema,
      EscalationDue: takedown.EscalationDueSchema,
      EscalationProposed: takedown.EscalationProposedSchema,
      Escalated: takedown.EscalatedSchema,
      ContentIdentified: takedown.ContentIdentifiedSchema,
      TakedownMerged: takedown.TakedownMergedSchema,
    },
  },
  'sejam.sla.v1': {
    service: 'sla',
    categories: ['clock', 'slapolicy'],
    messages: {
      ClockStarted: sla.ClockStartedSchema,
      DueMoved: sla.DueMovedSchema,
      DeadlineApproaching: sla.DeadlineApproachingSchema,
      DeadlineReached: sla.DeadlineReachedSchema,
      DeadlineMet: sla.DeadlineMetSchema,
      DeadlineMissed: sla.DeadlineMissedSchema,
      ClockStopped: sla.ClockStoppedSchema,
      SlaPolicySet: sla.SlaPolicySetSchema,
    },
  },
} as const;

export type Topic = keyof typeof topics;
export type MessageType<T extends Topic> = keyof (typeof topics)[T]['messages'] & string;
type Schema<T extends Topic, K extends MessageType<T>> = (typeof topics)[T]['messages'][K] extends infer S extends DescMessage ? S : never;

/** A message of a topic, told apart by `type`. */
export type Message<T extends Topic> = { [K in MessageType<T>]: { readonly type: K; readonly data: MessageShape<Schema<T, K>> } }[MessageType<T>];

/** The value is not what its `ce_type` promises. Such a message is parked, never skipped. */
export class UnreadableMessage extends Error {
  override readonly name = 'UnreadableMessage';
}

const schemaOf = (topic: Topic, type: string): DescMessage | undefined =>
  Object.hasOwn(topics[topic].messages, type) ? (topics[topic].messages as Record<string, DescMessage>)[type] : undefined;

export const ceTypeOf = (topic: Topic, type: string): string => `${topic}.${type}`;

/**
 * The value of a message as ProtoJSON with every field that has no presence written out, so that a reader in any language sees empty lists
 * and `false`. Throws on a field the message does not have: what is not to be published is dropped by the caller, by name.
 */
export function encode(topic: Topic, type: string, data: object): JsonObject {
  const schema = schemaOf(topic, type);
  if (schema === undefined) throw new Error(`${topic} has no message ${type}`);
  const message = fromJson(schema, data as JsonValue, { ignoreUnknownFields: false });
  return toJson(schema, message, { alwaysEmitImplicit: true }) as JsonObject;
}

/**
 * A message whose JSON is read already. Undefined when this code does not know the type: a newer publisher sent it, and a view skips it.
 * Fields it does not know are ignored. Throws UnreadableMessage when the data are not such a message's.
 */
export function understand<T extends Topic>(topic: T, ceType: string, data: object): Message<T> | undefined {
  const prefix = `${topic}.`;
  if (!ceType.startsWith(prefix)) throw new UnreadableMessage(`${ceType} is not a type of ${topic}`);
  const type = ceType.slice(prefix.length);
  const schema = schemaOf(topic, type);
  if (schema === undefined) return undefined;
  try {
    return { type, data: fromJson(schema, data as JsonValue, { ignoreUnknownFields: true }) } as Message<T>;
  } catch (error) {
    throw new UnreadableMessage(`${ceType}: ${(error as Error).message}`);
  }
}

/** The same from the bytes of a message. */
export function decode<T extends Topic>(topic: T, ceType: string, value: Uint8Array | null): Message<T> | undefined {
  let data: unknown;
  try {
    data = JSON.parse(Buffer.from(value ?? []).toString('utf8'));
  } catch (error) {
    throw new UnreadableMessage(`${ceType}: ${(error as Error).message}`);
  }
  if (typeof data !== 'object' || data === null) throw new UnreadableMessage(`${ceType}: the value is no JSON object`);
  return understand(topic, ceType, data);
}
