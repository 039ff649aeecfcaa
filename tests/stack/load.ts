import { setTimeout as delay } from 'node:timers/promises';
import type { Promised } from './account.js';
import { answers, approval, newContent, reportBody } from './cases.js';
import type { Delivery } from './platforms-desk.js';
import type { Stack } from './stack.js';

const agencies = [['bawaslu', 'bawasluReviewer'], ['kpu', 'kpuReviewer'], ['kominfo', 'kominfoReviewer']] as const;
/** Wall time after which a client gives up for good: all that was killed is long back, also on a slow machine. */
const withinMs = 180_000;
const platforms = ['tiktok', 'google', 'meta', 'telegram', 'snackvideo', 'line'] as const;

/** Numbers in [0, 1) that are the same in every run. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Agencies that report and decide, and platforms that answer in time, late, twice or never, through whatever happens: every request is
 * repeated until it was answered, as clients are told to. Keeps what was promised to them.
 */
export class Load {
  readonly #reports: { id: string; eventId: string; approved: string[] }[] = [];
  readonly #answers: { takedownId: string; eventId: string; causationId: string }[] = [];
  /** Answers that no client should ever get, as sentences. */
  readonly faults: string[] = [];
  readonly #random = randomFrom(7);
  readonly #work = new Set<Promise<void>>();
  readonly #seen = new Set<string>();
  #stopped = false;

  constructor(
    private readonly stack: Stack,
    private readonly pace: { readonly reportEveryMs: number; readonly domainMinuteMs: number; readonly failing?: number },
  ) {
    stack.desk.take = () => (this.#random() < (pace.failing ?? 0) ? 500 : 204);
    stack.desk.taken = (delivery) => this.#keep(this.#react(delivery));
  }

  get promised(): Promised {
    return { reports: this.#reports, answers: this.#answers };
  }

  start(): void {
    this.#keep(this.#report());
  }

  /** No new reports; resolves when everything under way was answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #keep(work: Promise<void>): void {
    const kept = work.catch((error: unknown) => void this.faults.push(String(error))).finally(() => this.#work.delete(kept));
    this.#work.add(kept);
  }

  async #report(): Promise<void> {
    let underWay = 0;
    for (let count = 0; !this.#stopped; count += 1) {
      // So many officers, who wait for their answers: a machine that is slow is not buried in requests.
      if (underWay < 40) {
        underWay += 1;
        this.#keep(this.#live(count).finally(() => (underWay -= 1)));
      }
      await delay(this.pace.reportEveryMs);
    }
  }

  async #live(count: number): Promise<void> {
    const [reporter, reviewer] = agencies[count % agencies.length] as (typeof agencies)[number];
    const url = newContent(platforms[Math.floor(this.#random() * platforms.length)]);
    const [decision, joins, instance] = [this.#random(), this.#random() < 0.15, count];
    const body = reportBody({ urls: [url] });
    const submitted = await this.stack.as(reporter, instance).insist('POST', '/v1/reports', body, { withinMs });
    if (submitted.status > 201) return void this.faults.push(`a report was answered ${submitted.status}: ${JSON.stringify(submitted.body)}`);
    const { id, eventId, contents: [{ takedownId }] } = submitted.body as { id: string; eventId: string; contents: [{ takedownId: string }] };
    const kept = { id, eventId, approved: [] as string[] };
    this.#reports.push(kept);
    if (decision < 0.1) return;
    await delay(this.#random() * this.pace.domainMinuteMs);
    const verb = decision < 0.15 ? 'decline' : 'approval';
    const decided = await this.stack.as(reviewer, instance).insist('POST', `/v1/reports/${id}/${verb}`, verb === 'decline' ? { reason: 'Satire' } : approval, { withinMs });
    if (decided.status !== 200) return void this.faults.push(`a decision was answered ${decided.status}: ${JSON.stringify(decided.body)}`);
    if (verb === 'decline') return;
    kept.approved.push(takedownId);
    if (!joins) return;
    const second = await this.stack.as('kpu', instance).insist('POST', '/v1/reports', reportBody({ urls: [`${url}#again`] }), { withinMs });
    const joined = { id: second.body.id as string, eventId: second.body.eventId as string, approved: [] as string[] };
    this.#reports.push(joined);
    const approved = await this.stack.as('kominfoReviewer', instance).insist('POST', `/v1/reports/${joined.id}/approval`, approval, { withinMs });
    if (approved.status === 200) joined.approved.push(takedownId);
    else this.faults.push(`the approval of a second report was answered ${approved.status}: ${JSON.stringify(approved.body)}`);
  }

  async #react(delivery: Delivery): Promise<void> {
    if (delivery.type !== 'order.issued' || this.#seen.has(delivery.orderId)) return;
    this.#seen.add(delivery.orderId);
    const { domainMinuteMs: minute } = this.pace;
    const kind = this.#random();
    if (kind < 0.15) return; // never answers
    const acknowledgeAfter = this.#random() * 12;
    if (kind < 0.85) await this.#answer(delivery, acknowledgeAfter * minute, answers.acknowledged(delivery.orderId));
    const last = kind < 0.3 ? answers.refused(delivery.orderId) : kind < 0.4 ? answers.objected(delivery.orderId) : answers.actioned(delivery.orderId);
    await this.#answer(delivery, (kind < 0.5 ? 55 + this.#random() * 10 : this.#random() * 30) * minute, last);
    if (kind > 0.9) await this.#answer(delivery, 0, last);
  }

  async #answer({ platform, webhookId, orderId, data: { takedownId } }: Delivery, afterMs: number, [type, data]: readonly [string, object]): Promise<void> {
    await delay(afterMs);
    const id = `${type.replace('.', '-')}-${webhookId}-${Math.floor(this.#random() * 1e9)}`;
    for (const deadline = Date.now() + withinMs; ; await delay(150)) {
      try {
        const { status, body } = await this.stack.answer(platform, type, data, { webhookId: id, instance: this.#answers.length });
        if (status === 202) return void this.#answers.push({ takedownId, eventId: body.eventId as string, causationId: `webhook:${platform}:${id}` });
        if (status < 500 && status !== 429) return void this.faults.push(`the answer ${type} to ${orderId} was answered ${status}: ${JSON.stringify(body)}`);
      } catch {
        // A process was killed under the request: it is sent again.
      }
      if (Date.now() > deadline) return void this.faults.push(`the answer ${type} to ${orderId} was not taken within ${withinMs / 1_000} s`);
    }
  }
}
