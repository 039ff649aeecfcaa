import { setTimeout as delay } from 'node:timers/promises';
import type { PlannedReport, Step } from './election-day.js';
import type { Answer, SejamApi } from './sejam-api.js';

export interface Day {
  /** Reports that were accepted, by reference. */
  readonly accepted: ReadonlyMap<string, string>;
  readonly unroutable: number;
  /** Answers that a day of this plan must not bring. */
  readonly surprises: readonly string[];
}

export interface PlayOptions {
  readonly api: SejamApi;
  readonly steps: readonly Step[];
  /** Domain milliseconds per wall millisecond. */
  readonly speed: number;
  /** Domain minutes that officers go on working after the last step, so that the last orders have their whole hour. */
  readonly afterMinutes: number;
  readonly progress: (line: string) => void;
}

interface Takedown {
  readonly id: string;
  readonly status: string;
  readonly objection: string;
  readonly verification: string;
  readonly platform: string;
  readonly order?: { readonly orderId: string; readonly clocks: readonly { readonly clock: string; readonly passed: boolean }[] };
}

const minuteMs = 60_000;
/** Who acts on takedowns, and who confirms what they propose. */
const issuers = ['kominfo', 'bawaslu', 'kpu'];
const seconds = ['kominfoReviewer', 'bawasluReviewer', 'kpuReviewer'];

/** Plays a day against a running Sejam: agencies and partners by the plan, officers by what the platforms answer. */
export async function playDay(options: PlayOptions): Promise<Day> {
  const { api, steps, speed, afterMinutes, progress } = options;
  const startedAt = performance.now();
  const minute = (): number => ((performance.now() - startedAt) * speed) / minuteMs;
  const lastMinute = (steps.at(-1)?.at ?? 0) + afterMinutes;
  const accepted = new Map<string, string>();
  const counts = { submitted: 0, repeated: 0, unroutable: 0, approved: 0, declined: 0, withdrawn: 0, clarified: 0, ruled: 0, observed: 0, escalated: 0 };
  const surprises: string[] = [];
  const underway = new Set<Promise<void>>();

  const must = (what: string, { status, body }: Answer, ...wanted: number[]): boolean => {
    if (wanted.includes(status)) return true;
    surprises.push(`${what}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
    return false;
  };

  async function act(step: Step): Promise<void> {
    if (step.do === 'submit') {
      const answer = await api.post<{ id: string }>('/v1/reports', step.key, step.report);
      if (step.expect === 'unroutable') counts.unroutable += must(`unroutable ${step.report.reference}`, answer as Answer, 422) ? 1 : 0;
      else if (must(`submitting ${step.report.reference}`, answer as Answer, 200, 201)) {
        accepted.set(step.report.reference, answer.body.id);
        counts[step.expect === 'repeated' ? 'repeated' : 'submitted'] += 1;
      }
      return;
    }
    const id = accepted.get(step.of.reference);
    if (id === undefined) return void surprises.push(`${step.do} ${step.of.reference}: the report was not accepted before`);
    // A decision on a report that was withdrawn meanwhile is refused, as it should be.
    if (step.do === 'approve' && must(`approving ${step.of.reference}`, await api.post(`/v1/reports/${id}/approval`, step.key, approvalOf(step.of)), 200, 409)) counts.approved += 1;
    if (step.do === 'decline' && must(`declining ${step.of.reference}`, await api.post(`/v1/reports/${id}/decline`, step.key, { reason: 'Tidak melanggar: pendapat atau satire' }), 200, 409)) counts.declined += 1;
    if (step.do === 'withdraw' && must(`withdrawing ${step.of.reference}`, await api.post(`/v1/reports/${id}/withdrawal`, step.key, { reason: 'Laporan keliru' }), 200, 409)) counts.withdrawn += 1;
  }

  /** What officers see on their board, and do about it. */
  async function officers(): Promise<void> {
    const handled = new Set<string>();
    const once = (what: string): boolean => !handled.has(what) && handled.add(what) !== undefined;
    while (minute() < lastMinute) {
      for await (const takedown of api.list<Takedown>('/v1/takedowns', 'kominfo')) {
        const { id, status, objection, verification, order } = takedown;
        if (order === undefined) continue;
        if (status === 'clarification_requested' && once(`clarify ${order.orderId}`)) {
          const clarification = { answer: 'Bagian yang melanggar: detik 0:12 sampai 0:40.' };
          counts.clarified += (await whoeverMay('clarifying', issuers, (key) => api.post(`/v1/takedowns/${id}/clarification`, key, clarification))) ? 1 : 0;
        }
        if (objection === 'pending' && once(`rule ${order.orderId}`)) counts.ruled += (await rule(id)) ? 1 : 0;
        if (status === 'actioned' && verification === 'claimed' && hash(id) % 3 === 0 && once(`observe ${order.orderId}`)) {
          const observation = { seen: hash(id) % 15 === 0 ? 'online' : 'gone' };
          counts.observed += (await whoeverMay('observing', issuers, (key) => api.post(`/v1/takedowns/${id}/observations`, key, observation))) ? 1 : 0;
        }
        const missed = order.clocks.some(({ clock, passed }) => clock === 'resolution' && passed);
        if (missed && ['delivered', 'acknowledged'].includes(status) && hash(id) % 4 === 0 && once(`escalate ${order.orderId}`)) counts.escalated += (await escalate(id)) ? 1 : 0;
      }
      await delay(1_000);
    }
  }

  /** Nobody acts on a report about themselves, and whoever submitted or approved does not rule: the first officer who may, does. */
  async function whoeverMay(doing: string, keys: readonly string[], act: (key: string) => Promise<Answer>): Promise<boolean> {
    for (const key of keys) {
      const answer = await act(key);
      if (answer.status !== 403) return must(doing, answer, 200, 201, 409);
    }
    surprises.push(`${doing}: nobody may`);
    return false;
  }

  function rule(id: string): Promise<boolean> {
    const ruling = { ruling: hash(id) % 2 === 0 ? 'upheld' : 'dismissed', reason: 'Dinilai ulang oleh pemeriksa yang belum terlibat.' };
    return whoeverMay('ruling', ['kpuReviewer', 'bawasluReviewer', 'kominfoReviewer', 'kpu', 'bawaslu', 'kominfo'], (key) => api.post(`/v1/takedowns/${id}/objection-ruling`, key, ruling));
  }

  async function escalate(id: string): Promise<boolean> {
    const letter = { level: 2, letterNumber: `ST1/${hash(id) % 1000}`, reason: 'Tenggat terlewati tanpa jawaban.' };
    let n: number | undefined;
    const proposed = await whoeverMay('proposing an escalation', issuers, async (key) => {
      const answer = await api.post<{ n?: number }>(`/v1/takedowns/${id}/escalations`, key, letter);
      n = answer.body.n;
      return answer;
    });
    return proposed && n !== undefined && (await whoeverMay('approving an escalation', seconds, (key) => api.post(`/v1/takedowns/${id}/escalations/${n}/approval`, key, {})));
  }

  const reporting = (async () => {
    while (minute() < lastMinute) {
      await delay(5_000);
      const { submitted, repeated, approved, declined, withdrawn, unroutable, clarified, ruled, escalated } = counts;
      progress(`${clockFace(minute())}  ${submitted} reports (+${repeated} repeated, ${unroutable} unroutable)  ${approved} approved, ${declined} declined, ${withdrawn} withdrawn  ${clarified} clarified, ${ruled} ruled, ${escalated} escalated`);
    }
  })();
  const working = officers();

  for (const step of steps) {
    await delay(Math.max(0, ((step.at - minute()) * minuteMs) / speed));
    const work = act(step).catch((error: unknown) => void surprises.push(String(error))).finally(() => underway.delete(work));
    underway.add(work);
    // A repeat or a decision must find the report: what came before it is done first.
    if (underway.size >= 32) await Promise.race(underway);
  }
  await Promise.all(underway);
  progress(`${clockFace(minute())}  the last decision is made; the platforms have their hour`);
  await Promise.all([working, reporting]);
  return { accepted, unroutable: counts.unroutable, surprises };
}

function approvalOf({ category, contents }: PlannedReport): object {
  const labelled = category === 'hoax.candidate';
  return {
    reasons: 'Diperiksa dua petugas: isi bertentangan dengan keterangan resmi KPU dan Bawaslu.',
    requestedAction: labelled ? 'labelled' : contents.length > 5 ? 'access_disabled' : 'removed',
    ...(category.startsWith('hoax.') ? { factCheck: { statement: 'KPU: tidak benar.' } } : {}),
    ...(labelled ? { clarificationUrl: 'https://klarifikasi.example/pilkada-2024' } : {}),
  };
}

/** 07:00 in Jakarta is when the polling stations open. */
function clockFace(minutes: number): string {
  const total = Math.floor(7 * 60 + minutes);
  return `${String(Math.floor(total / 60)).padStart(2, '0')}:${String(total % 60).padStart(2, '0')} WIB`;
}

function hash(text: string): number {
  let value = 0;
  for (const letter of text) value = (value * 31 + letter.charCodeAt(0)) % 1_000_003;
  return value;
}
