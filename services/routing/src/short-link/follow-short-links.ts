import { setTimeout as delay } from 'node:timers/promises';
import { identify as identifyUrl, identifySearchResult, isIdentified, SHORT_LINK_HOSTS, takedownIdOf, type Identified } from '@sejam/content';
import type { DomainClock } from '@sejam/event-sourcing';
import type { Pool } from '@sejam/postgres';
import type { Logger } from '@sejam/service-host';
import type { ShortLinkFollower } from '@sejam/webhooks';
import type { Takedowns } from '../takedown/act-on-takedown.js';
import { identify, releaseHold, SHORT_LINK_HOLD_MS } from '../takedown/joining.js';

/** The only hosts that are ever asked where a link leads. */
export const shortLinkHosts: readonly string[] = Object.values(SHORT_LINK_HOSTS).flat();

/** For hosts that serve short and full addresses alike. */
export function isFullAddress(url: string): boolean {
  const answer = identifyUrl(url);
  return isIdentified(answer) && !answer.provisional;
}

interface Hold {
  readonly takedownId: string;
  readonly url: string;
  readonly product: string;
  readonly openedAt: Date;
  readonly released: boolean;
}

const AT_ONCE = 32;
const TICK_MS = 250;
/** Wall time: longer than a link is followed. */
const CLAIM_MS = 60_000;
/** Domain time between two tries of a link whose host does not answer. */
const AGAIN_MS = 2_000;
const machine = { organisation: 'sejam', holder: 'system:routing' };

export interface FollowShortLinksOptions {
  readonly pool: Pool;
  readonly clock: DomainClock;
  readonly takedowns: Takedowns;
  readonly follower: ShortLinkFollower;
  readonly log: Logger;
}

/**
 * Finds out where the short links of takedowns lead, any number of instances together. An order waits for it: until its content is
 * known, or the link leads nowhere, or the hold is over, whichever comes first.
 */
export class FollowShortLinks {
  readonly #stopping = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: FollowShortLinksOptions) {}

  start(): this {
    this.#timer = setInterval(() => this.wake(), TICK_MS);
    this.wake();
    return this;
  }

  /** Never waits. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    this.#looking ??= this.#look()
      .catch((error: unknown) => this.options.log.warn({ error: String(error) }, 'Short links wait'))
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    await Promise.all([this.#looking, ...this.#underWay]);
    await this.options.follower.close();
  }

  async #look(): Promise<void> {
    const room = AT_ONCE - this.#underWay.size;
    if (room <= 0) return;
    const now = new Date();
    const { rows } = await this.options.pool.query<Hold>(
      `UPDATE short_link_hold SET claimed_until = $2 WHERE takedown_id IN (
         SELECT takedown_id FROM short_link_hold WHERE NOT ended AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY opened_at LIMIT $3 FOR UPDATE SKIP LOCKED)
       RETURNING takedown_id AS "takedownId", url, product, opened_at AS "openedAt", released`,
      [now, new Date(now.getTime() + CLAIM_MS), room],
    );
    for (const hold of rows) {
      const work = this.#settle(hold)
        .catch((error: unknown) => this.options.log.warn({ takedownId: hold.takedownId, error: String(error) }, 'What a short link leads to could not be recorded; it is followed again'))
        .finally(() => this.#underWay.delete(work));
      this.#underWay.add(work);
    }
  }

  async #settle(hold: Hold): Promise<void> {
    const { pool, takedowns } = this.options;
    const { takedownId } = hold;
    const found = new AbortController();
    const releasing = hold.released ? undefined : this.#releaseInTime(hold, found.signal);
    const target = await this.#resolve(hold);
    found.abort();
    await releasing;
    if (this.#stopping.signal.aborted && target === 'unanswered') {
      await pool.query('UPDATE short_link_hold SET claimed_until = NULL WHERE takedown_id = $1', [takedownId]);
      return;
    }
    if (typeof target === 'object') {
      const cause = { causationId: `short-link:${takedownId}`, correlationId: takedownId, by: machine };
      const { contentKey, canonicalUrl, platform, product } = target;
      await takedowns.actHere(takedownId, cause, (state) => identify(state, { contentKey, canonicalUrl, platform, product, takedownId: takedownIdOf(contentKey) }));
    } else if (target === 'nothing') await this.#release(hold, 'unresolvable');
    await pool.query('UPDATE short_link_hold SET ended = true, claimed_until = NULL WHERE takedown_id = $1', [takedownId]);
  }

  /** What the link leads to; `nothing` that Sejam knows, or no answer within the hold. */
  async #resolve({ url, product, openedAt }: Hold): Promise<Identified | 'nothing' | 'unanswered'> {
    const { clock, follower } = this.options;
    const { signal } = this.#stopping;
    const over = openedAt.getTime() + SHORT_LINK_HOLD_MS;
    for (;;) {
      const answer = await follower.follow(url, { signal });
      if (answer.resolved) {
        const content = product === 'google_search' ? identifySearchResult(answer.url) : identifyUrl(answer.url);
        return isIdentified(content) && !content.provisional ? content : 'nothing';
      }
      if (!answer.retryable) return 'nothing';
      const again = clock.now().getTime() + AGAIN_MS;
      if (again >= over || signal.aborted) {
        await this.#reach(new Date(over), signal);
        return 'unanswered';
      }
      await this.#reach(new Date(again), signal);
    }
  }

  /** Lets the order go when the hold is over, while the link may still be followed. */
  async #releaseInTime(hold: Hold, found: AbortSignal): Promise<void> {
    const due = new Date(hold.openedAt.getTime() + SHORT_LINK_HOLD_MS);
    await this.#reach(due, AbortSignal.any([found, this.#stopping.signal]));
    if (this.options.clock.now() >= due) await this.#release(hold, 'unresolved_in_time');
  }

  async #release({ takedownId }: Hold, shortLink: 'unresolvable' | 'unresolved_in_time'): Promise<void> {
    const cause = { causationId: `hold:${takedownId}.1`, correlationId: takedownId, by: machine };
    await this.options.takedowns.actHere(takedownId, cause, (state, _, issuing) => releaseHold(state, { shortLink }, issuing));
  }

  /** Looks at the clock again and again, since it need not run evenly. */
  async #reach(due: Date, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.options.clock.now() < due) {
      await delay(Math.max(1, Math.min(TICK_MS, this.options.clock.wallMsUntil(due))), undefined, { signal }).catch(() => undefined);
    }
  }
}
