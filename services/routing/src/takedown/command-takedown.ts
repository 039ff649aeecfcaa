import { Body, Controller, HttpCode, Inject, Param, ParseIntPipe, ParseUUIDPipe, Post } from '@nestjs/common';
import { IsIn, IsInt, IsString, Length, Max, Min } from 'class-validator';
import type { DecisionContext, RecordedEvent } from '@sejam/event-sourcing';
import { Caller, MayBeAbsent, RequestCause } from '@sejam/service-host';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { maySee, notFound } from './get-takedowns.js';
import { reopen, type Issuing } from './joining.js';
import { approveEscalation, clarify, observe, proposeEscalation, rule, withdraw } from './order.js';
import { takedownSummary, type TakedownSummary } from './takedown-document.js';
import type { KnownTakedown, Takedown, TakedownEvent } from './takedown.js';

class ClarificationBody {
  @IsString() @Length(1, 2000) answer!: string;
}

class WithdrawalBody {
  @IsString() @Length(1, 2000) reason!: string;
}

class RulingBody {
  @IsIn(['upheld', 'dismissed']) ruling!: 'upheld' | 'dismissed';
  @IsString() @Length(1, 2000) reason!: string;
}

class ReopeningBody {
  @IsIn(['still_online', 'reappeared', 'refusal_disputed', 'new_grounds']) cause!: 'still_online' | 'reappeared' | 'refusal_disputed' | 'new_grounds';
  @IsString() @Length(1, 2000) reason!: string;
}

class ObservationBody {
  @IsIn(['gone', 'online', 'reappeared']) seen!: 'gone' | 'online' | 'reappeared';
  @MayBeAbsent() @IsString() @Length(1, 2000) note?: string;
}

class EscalationBody {
  /** 2–4: the letters ST1–ST3; 5: the proposal to block. */
  @IsInt() @Min(2) @Max(5) level!: 2 | 3 | 4 | 5;
  @IsString() @Length(1, 64) letterNumber!: string;
  @IsString() @Length(1, 2000) reason!: string;
}

/** The takedown as it stands now, and the event that says what was asked for. */
export interface CommandAnswer extends TakedownSummary {
  eventId: string;
  /** Of an escalation. */
  n?: number;
}

type Decide = (state: Takedown, context: DecisionContext, issuing: Issuing) => readonly TakedownEvent[];
type Earlier = (state: KnownTakedown) => string | undefined;

/** What officers do with a takedown. On a merged one each acts on the takedown that it went to, and answers with `mergedInto`. */
@Controller('v1/takedowns')
export class CommandTakedown {
  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {}

  @Post(':id/clarification')
  @HttpCode(200)
  clarify(@Param('id', ParseUUIDPipe) id: string, @Body() { answer }: ClarificationBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<CommandAnswer> {
    return this.#act(id, caller, cause, (state) => clarify(state, { answer, providedBy: caller.organisation }), (state) => state.orders.at(-1)?.clarification?.eventId);
  }

  @Post(':id/withdrawal')
  @HttpCode(200)
  withdraw(@Param('id', ParseUUIDPipe) id: string, @Body() { reason }: WithdrawalBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<CommandAnswer> {
    return this.#act(id, caller, cause, (state) => withdraw(state, { reason, withdrawnBy: caller.organisation }), (state) => state.orders.at(-1)?.withdrawal?.eventId);
  }

  @Post(':id/objection-ruling')
  @HttpCode(200)
  rule(@Param('id', ParseUUIDPipe) id: string, @Body() { ruling, reason }: RulingBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<CommandAnswer> {
    const { organisation: ruledBy, holder } = caller;
    const earlier: Earlier = ({ orders }) => orders.findLast(({ objection }) => objection !== undefined)?.objection?.eventId;
    return this.#act(id, caller, cause, (state) => rule(state, { ruling, reason, ruledBy, holder }), earlier);
  }

  @Post(':id/reopening')
  @HttpCode(200)
  reopen(@Param('id', ParseUUIDPipe) id: string, @Body() body: ReopeningBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<CommandAnswer> {
    const { cause: why, reason } = body;
    return this.#act(
      id, caller, cause,
      (state, _, issuing) => reopen(state, { cause: why, reason, reopenedBy: caller.organisation }, issuing),
      (state) => state.reopening?.eventId,
    );
  }

  /** Agencies on every takedown, partners on those that their reports joined. */
  @Post(':id/observations')
  @HttpCode(200)
  observe(@Param('id', ParseUUIDPipe) id: string, @Body() { seen, note }: ObservationBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<CommandAnswer> {
    const seenNow = { seen, seenBy: caller.organisation, ...(note === undefined ? {} : { note }) };
    return this.#act(id, caller, cause, (state) => observe(state, seenNow), (state) => state.orders.at(-1)?.observation?.eventId);
  }

  @Post(':id/escalations')
  @HttpCode(200)
  async escalate(@Param('id', ParseUUIDPipe) id: string, @Body() body: EscalationBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<CommandAnswer> {
    const { level, letterNumber, reason } = body;
    const same: Earlier = ({ proposals }) => proposals.findLast((one) => one.level === level && one.letterNumber === letterNumber)?.eventId;
    return this.#act(id, caller, cause, (state) => proposeEscalation(state, { level, letterNumber, reason, proposedBy: caller.organisation }), same);
  }

  @Post(':id/escalations/:n/approval')
  @HttpCode(200)
  approveEscalation(
    @Param('id', ParseUUIDPipe) id: string, @Param('n', ParseIntPipe) n: number, @Caller() caller: Caller, @RequestCause() cause: RequestCause,
  ): Promise<CommandAnswer> {
    const { organisation: approvedBy, holder } = caller;
    return this.#act(id, caller, cause, (state) => approveEscalation(state, { n, approvedBy, holder }), (state) => state.proposals.find((one) => one.n === n)?.approvalEventId);
  }

  /** `earlier`: the event that recorded the same decision before, where there was nothing to add. */
  async #act(id: string, caller: Caller, cause: RequestCause, decide: Decide, earlier: Earlier): Promise<CommandAnswer> {
    await this.ports.requests.refuseReuse(cause);
    const acted = await this.ports.takedowns.act(id, cause, (state, ...rest) => {
      // What a partner may not see is as if it were not there.
      if (state.status === 'none' || !maySee(state, caller)) throw notFound();
      return decide(state, ...rest);
    });
    const { state, events, replayed, mergedInto } = acted;
    if (state.status === 'none') throw notFound();
    this.ports.requests.remember(cause);
    if (events.length > 0 && !replayed) this.ports.metrics.accepted.inc({ what: 'command' });
    const first = events[0];
    const eventId = first?.id ?? earlier(state);
    if (eventId === undefined) throw new Error(`Takedown ${id} recorded nothing and had recorded nothing before`);
    const n = numberOf(first) ?? state.proposals.find((proposal) => proposal.eventId === eventId || proposal.approvalEventId === eventId)?.n;
    return { ...takedownSummary(state, caller), eventId, ...(n === undefined ? {} : { n }), ...(mergedInto === undefined ? {} : { mergedInto }) };
  }
}

function numberOf(event: RecordedEvent<TakedownEvent> | undefined): number | undefined {
  return event !== undefined && 'n' in event.data ? event.data.n : undefined;
}
