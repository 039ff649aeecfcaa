import type { LegalBasis } from '@sejam/contracts';
import { DomainError, type Decided, type DecisionContext, type RecordedEvent, type Transact } from '@sejam/event-sourcing';
import { transactorForRequests, type RequestCause } from '@sejam/service-host';
import type { Platforms, Policies } from '../routing-ports.js';
import { join, leave, type ContentOfTakedown, type Issuing } from './joining.js';
import { addressed } from './messages.js';
import { takedown, type Joining, type KnownTakedown, type Takedown, type TakedownEvent } from './takedown.js';

export interface Acted {
  /** What the cause recorded, now or earlier; empty when there was nothing to record. */
  readonly events: readonly RecordedEvent<TakedownEvent>[];
  /** Of the takedown that was acted on. */
  readonly state: Takedown;
  readonly replayed: boolean;
  /** The takedown named was merged into this one, and that was acted on. */
  readonly mergedInto?: string;
}

export type DecideOnTakedown = (state: Takedown, context: DecisionContext, issuing: Issuing) => readonly Decided<TakedownEvent>[];

export interface TakedownsOptions {
  readonly transact: Transact;
  readonly platforms: Platforms;
  readonly policies: Policies;
  readonly legalBases: ReadonlyMap<string, LegalBasis>;
  readonly desk: string;
  readonly redress: string;
}

/** The one way into takedowns: what is decided on one gets its messages, and what is meant for a merged one reaches where it went. */
export class Takedowns {
  readonly #transact: ReturnType<typeof transactorForRequests>;

  constructor(private readonly options: TakedownsOptions) {
    this.#transact = transactorForRequests(options.transact);
  }

  /** Acts on this takedown alone, merged or not. For what concerns its own stream: deliveries, deadlines, short links. */
  async actHere(takedownId: string, cause: RequestCause, decide: DecideOnTakedown, content?: ContentOfTakedown): Promise<Acted> {
    // Only what issues an order needs them: answers and deliveries are recorded before they are known, too.
    const known = await this.options.policies.all().then((all) => () => all, (error: unknown) => () => { throw error; });
    const { events, state, replayed } = await this.#transact(takedown, takedownId, { ...cause, assumeNew: content !== undefined }, (current, context) => {
      const platform = current.status === 'none' ? content?.platform : current.platform;
      const endpoint = platform === undefined ? undefined : this.options.platforms.endpointOf(platform);
      const { legalBases, desk, redress } = this.options;
      const issuing = { at: context.at, get policies() { return known(); }, legalBases, test: endpoint?.test ?? false };
      return addressed(current, decide(current, context, issuing), context, { hasEndpoint: endpoint?.hasEndpoint ?? false, desk, redress });
    });
    return { events, state, replayed };
  }

  /**
   * Acts on this takedown or, if it was merged, on the one that it went to: the cause is looked for here first. What does not belong
   * there, such as an answer of another platform, `belongs` keeps here.
   */
  async act(takedownId: string, cause: RequestCause, decide: DecideOnTakedown, belongs: (from: KnownTakedown, to: Takedown) => boolean = () => true): Promise<Acted> {
    const here = await this.actHere(takedownId, cause, (state, ...rest) => (mergedOf(state) === undefined ? decide(state, ...rest) : []));
    const merged = mergedOf(here.state);
    if (here.replayed || here.events.length > 0 || merged === undefined || here.state.status === 'none') return here;
    const from = here.state;
    await this.joinTarget(from);
    let foreign = false;
    const there = await this.act(merged.into, cause, (state, ...rest) => {
      foreign = !belongs(from, state);
      return foreign ? [] : decide(state, ...rest);
    });
    if (foreign) return this.actHere(takedownId, cause, decide);
    return { ...there, mergedInto: there.mergedInto ?? merged.into };
  }

  /** A report's approved content opens or joins the takedown of its key. */
  async join(content: ContentOfTakedown, joining: Joining, cause: RequestCause): Promise<Acted> {
    const here = await this.actHere(
      content.takedownId,
      cause,
      (state, _, issuing) => (mergedOf(state) === undefined ? join(state, content, joining, issuing) : []),
      content,
    );
    const merged = mergedOf(here.state);
    if (here.replayed || here.events.length > 0 || merged === undefined || here.state.status === 'none') return here;
    const target = targetOf(here.state);
    // The short link's own text is this report's; the target is known by its content.
    const there = await this.join(target, { ...joining, canonicalUrl: target.canonicalUrl }, cause);
    return { ...there, mergedInto: merged.into };
  }

  /** A report withdrawn at its agency leaves; from a merged takedown it leaves the one that it went to, even before it has joined there. */
  leave(takedownId: string, leaving: { reportId: string; reason: string }, cause: RequestCause): Promise<Acted> {
    const decide = (state: Takedown): TakedownEvent[] => leave(state, { ...leaving, merged: state.status !== 'none' && state.takedownId !== takedownId });
    return this.act(takedownId, cause, decide);
  }

  /** Joins the standing reports of a merged takedown to its target, each once. Safe to repeat, by whoever comes first. */
  async joinTarget(from: KnownTakedown): Promise<void> {
    const { merged } = from;
    if (merged === undefined) return;
    const target = targetOf(from);
    for (const report of merged.reports) {
      const { attention: _, ...joining } = report;
      const causationId = `event:${merged.eventId}#${report.reportId}`;
      const cause = { causationId, correlationId: merged.eventId, by: { organisation: 'sejam', holder: 'system:routing' } };
      await this.join(target, { ...joining, canonicalUrl: target.canonicalUrl }, cause);
    }
  }
}

function mergedOf(state: Takedown): KnownTakedown['merged'] {
  return state.status === 'none' ? undefined : state.merged;
}

/** Targets are never provisional. */
function targetOf({ merged, identified }: KnownTakedown): ContentOfTakedown & { readonly canonicalUrl: string } {
  if (merged === undefined || identified === undefined) throw new DomainError('takedown.not-found', 'not-found', 'There is no such takedown');
  const { takedownId, contentKey, platform, product, canonicalUrl } = identified;
  return { takedownId, contentKey, platform, product, canonicalUrl, provisional: false };
}
