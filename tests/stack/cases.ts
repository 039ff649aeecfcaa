import { eventually } from '@sejam/testkit';
import type { Caller, Json } from './caller.js';
import type { Delivery } from './platforms-desk.js';
import type { Stack } from './stack.js';

let drawn = 0;
/** Numbers no other content of this run has. */
const fresh = (): number => (drawn += 1);

const urls: Readonly<Record<string, (n: number) => string>> = {
  tiktok: (n) => `https://www.tiktok.com/@x/video/${7_399_295_712_000_000_000n + BigInt(n)}`,
  google: (n) => `https://www.youtube.com/watch?v=${Buffer.from(`yt${String(n).padStart(6, '0')}`).toString('base64url').slice(0, 11)}`,
  meta: (n) => `https://www.instagram.com/p/${Buffer.from(`ig${String(n).padStart(6, '0')}`).toString('base64url').slice(0, 11)}/`,
  telegram: (n) => `https://t.me/kanal${n}/${n}`,
  snackvideo: (n) => `https://www.snackvideo.com/@x/video/${5_200_000_000_000_000_000n + BigInt(n)}`,
  line: (n) => `https://linevoom.line.me/post/${1_170_000_000_000_000_000n + BigInt(n)}`,
};

/** The address of a content that nobody has reported yet. */
export function newContent(platform = 'tiktok'): string {
  const url = urls[platform];
  if (url === undefined) throw new Error(`There are no contents of ${platform}`);
  return url(fresh());
}

/** A whole report as an agency sends it; what a test does not care about is filled in. */
export function reportBody(overrides: Readonly<Record<string, unknown>> & { readonly urls?: readonly string[] } = {}): Record<string, unknown> {
  const { urls: addresses = [newContent()], ...rest } = overrides;
  return {
    reference: `E2E-${fresh()}`,
    category: 'hoax.voting_procedure',
    contentForm: 'video',
    language: 'id',
    legalBasis: ['UU-10-2016:69-c'],
    region: '32.73',
    target: 'voters',
    summary: 'Claims that voting moved to 28 November',
    contents: addresses.map((url) => ({ url })),
    ...rest,
  };
}

export const approval = {
  reasons: 'The claim is false: the day of voting did not move, as the commission has stated.',
  requestedAction: 'removed',
  factCheck: { url: 'https://cekfakta.example/voting-day' },
} as const;

export interface ReportedCase {
  readonly reportId: string;
  readonly takedownId: string;
  readonly orderId: string;
  readonly platform: string;
  readonly contentKey: string;
}

/** Submitted by one officer, approved by another: a case whose order is about to go out. */
export async function approvedCase(stack: Stack, { platform = 'tiktok', reporter = 'bawaslu', reviewer = 'bawasluReviewer', url = newContent(platform), round = 1, ...overrides }: Readonly<Record<string, unknown>> & { platform?: string; reporter?: string; reviewer?: string; url?: string; round?: number } = {}): Promise<ReportedCase> {
  const submitted = await stack.as(reporter).insist('POST', '/v1/reports', reportBody({ urls: [url], ...overrides }));
  if (submitted.status !== 201) throw new Error(`The report was answered ${submitted.status}: ${JSON.stringify(submitted.body)}`);
  const { id, contents } = submitted.body as { id: string; contents: { contentKey: string; takedownId: string; platform: string }[] };
  const approved = await stack.as(reviewer).insist('POST', `/v1/reports/${id}/approval`, approval);
  if (approved.status >= 300) throw new Error(`The approval was answered ${approved.status}: ${JSON.stringify(approved.body)}`);
  const [content] = contents;
  if (content === undefined) throw new Error('A report without contents was accepted');
  return { reportId: id, takedownId: content.takedownId, orderId: `${content.takedownId}.${round}`, platform: content.platform, contentKey: content.contentKey };
}

/** The order as it reached the platform. */
export async function delivered(stack: Stack, { orderId }: Pick<ReportedCase, 'orderId'>, withinMs = 20_000): Promise<Delivery> {
  return eventually(() => stack.desk.deliveries.find((one) => one.type === 'order.issued' && one.orderId === orderId && typeof one.taken === 'number' && one.taken < 300) ?? false, { withinMs });
}

/** A case whose order has reached its platform and is recorded as delivered. */
export async function deliveredCase(stack: Stack, options: Parameters<typeof approvedCase>[1] = {}): Promise<ReportedCase> {
  const found = await approvedCase(stack, options);
  await delivered(stack, found);
  await statusIs(stack, found, 'delivered');
  return found;
}

/** The takedown as an agency sees it. */
export async function takedownOf(caller: Caller, takedownId: string): Promise<Json> {
  const { status, body } = await caller.get(`/v1/takedowns/${takedownId}`);
  if (status !== 200) throw new Error(`The takedown was answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

export async function statusIs(stack: Stack, { takedownId }: Pick<ReportedCase, 'takedownId'>, status: string, withinMs = 20_000): Promise<Json> {
  return eventually(async () => {
    const takedown = await takedownOf(stack.as('auditor'), takedownId);
    if (takedown['status'] !== status) throw new Error(`The takedown is ${takedown['status']}, not ${status}`);
    return takedown;
  }, { withinMs });
}

/** What platforms say, whole as the contract wants it. */
export const answers = {
  acknowledged: (orderId: string) => ['order.acknowledged', { orderId }] as const,
  clarification: (orderId: string) => ['order.clarification_requested', { orderId, question: 'Which passage is meant?' }] as const,
  actioned: (orderId: string, further: object = {}) => ['order.actioned', { orderId, action: 'removed', automated: 'no', actionedAt: new Date().toISOString(), ...further }] as const,
  refused: (orderId: string, reason = 'not_illegal_here') => ['order.refused', { orderId, reason, explanation: 'Our review found no breach of the cited provision.' }] as const,
  objected: (orderId: string) => ['order.objected', { orderId, grounds: 'The video reports on the claim in order to refute it.' }] as const,
  reinstated: (orderId: string) => ['content.reinstated', { orderId, reason: 'Our appeals team reversed the decision.' }] as const,
};
