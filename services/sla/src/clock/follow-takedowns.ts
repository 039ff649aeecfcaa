import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern } from '@nestjs/microservices';
import { MessageContext, type BusMessage } from '@sejam/bus';
import { understand, type Message } from '@sejam/contracts';
import type { Cause } from '@sejam/event-sourcing';
import { PORTS, type SlaPorts } from '../sla-ports.js';
import { clock, observeReport, observeTakedown, type ReportFact, type TakedownFact } from './clock.js';

const openStatuses = ['awaiting_delivery', 'delivered', 'acknowledged', 'clarification_requested'];

@Controller()
export class FollowTakedowns {
  constructor(@Inject(PORTS) private readonly ports: SlaPorts) {}

  /** Every event of a takedown matters to the clocks of each of its orders: it may be the first that is later than due. */
  @EventPattern<string>('sejam.takedown.v1', { appends: true })
  async onTakedown(@Ctx() { message }: MessageContext): Promise<void> {
    const { id, round } = takedownOf(message);
    const known = understand('sejam.takedown.v1', message.type, message.data);
    for (let order = 1; order <= round; order += 1) {
      const orderId = `${id}.${order}`;
      const assumeNew = known?.type === 'OrderIssued' && known.data.orderId === orderId;
      await this.ports.transact(clock, orderId, { ...causeOf(message), assumeNew }, (state) => observeTakedown(state, takedownFact(message, known, { orderId, round, order })));
    }
  }

  @EventPattern<string>('sejam.intake.v1', { appends: true })
  async onReport(@Ctx() { message }: MessageContext): Promise<void> {
    const fact = reportFact(message);
    await this.ports.transact(clock, fact.reportId, { ...causeOf(message), assumeNew: fact.type === 'ReportSubmitted' }, (state) => observeReport(state, fact));
  }
}

function causeOf(message: BusMessage): Cause {
  const causationId = `event:${message.id}`;
  return { causationId, correlationId: message.correlationId ?? causationId, traceparent: message.traceparent, by: { organisation: 'sejam', holder: 'system:sla' } };
}

interface Summary {
  readonly id: string;
  readonly platform: string;
  readonly status: string;
  readonly round: number;
}

/** Every message carries the takedown as it stands after the event, also one whose type this code does not know. */
function takedownOf(message: BusMessage): Summary {
  const summary = message.data['takedown'] as Partial<Summary> | undefined;
  if (typeof summary?.id !== 'string' || typeof summary.round !== 'number' || typeof summary.platform !== 'string' || typeof summary.status !== 'string') {
    throw new Error(`${message.type} carries no takedown`);
  }
  return { id: summary.id, platform: summary.platform, status: summary.status, round: summary.round };
}

function takedownFact(message: BusMessage, known: Message<'sejam.takedown.v1'> | undefined, { orderId, round, order }: { orderId: string; round: number; order: number }): TakedownFact {
  const { id: takedownId, platform, status } = takedownOf(message);
  return {
    type: message.type.slice(message.type.lastIndexOf('.') + 1),
    eventId: message.id,
    at: message.time,
    own: message.data['orderId'] === orderId,
    takedownId,
    orderId,
    platform,
    open: order === round && openStatuses.includes(status),
    ...(known?.type === 'OrderIssued' && known.data.terms !== undefined ? { issued: { approvedAt: known.data.approvedAt, terms: plain(known.data.terms) } } : {}),
    ...(known?.type === 'OrderDeliveryFailed' ? { deliveryFailedSide: known.data.side } : {}),
    ...(known?.type === 'ObjectionRaised' ? { objectionCounted: known.data.counted } : {}),
  };
}

function reportFact(message: BusMessage): ReportFact {
  const { undecided } = message.data;
  return {
    type: message.type.slice(message.type.lastIndexOf('.') + 1),
    eventId: message.id,
    at: message.time,
    reportId: message.subject.slice('report-'.length),
    ...(typeof undecided === 'number' ? { undecided } : {}),
  };
}

/** What is recorded must not carry the name of a message's type. */
function plain<Message extends { readonly $typeName: string }>({ $typeName: _, ...fields }: Message): Omit<Message, '$typeName'> {
  return fields;
}
