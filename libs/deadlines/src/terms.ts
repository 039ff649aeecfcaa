/** What an order promises and is owed, fixed when it is issued. Whole minutes; the warning in percent of the resolution time. */
export interface Terms {
  readonly policy: string;
  readonly version: number;
  readonly acknowledgeWithinMinutes: number;
  readonly resolveWithinMinutes: number;
  readonly warningPercent: number;
  readonly clarificationCapMinutes: number;
}

/** One version of a policy. */
export interface Policy extends Terms {
  /** Half-open span of domain time: `from` is in it, `to` is not. */
  readonly window?: { readonly from: string; readonly to: string };
  /** One category, or a family of them: `hoax` covers `hoax.candidate`. */
  readonly category?: string;
  readonly platform?: string;
  readonly effectiveFrom: string;
}

/** Version 0: holds until the first policy arrives, and where none applies. */
export const builtInTerms: Terms = {
  policy: 'default',
  version: 0,
  acknowledgeWithinMinutes: 10,
  resolveWithinMinutes: 60,
  warningPercent: 75,
  clarificationCapMinutes: 30,
};

/**
 * The terms of an order issued at `at`: of each policy the highest version in force, of these the most specific that applies, else the
 * built-in ones. The same for every process, in whatever order the policies arrived.
 */
export function chooseTerms(policies: readonly Policy[], order: { readonly category: string; readonly platform: string; readonly at: Date }): Terms {
  const atMs = order.at.getTime();
  const inForce = new Map<string, Policy>();
  for (const policy of policies) {
    const newest = inForce.get(policy.policy);
    const counts = Date.parse(policy.effectiveFrom) <= atMs && (newest === undefined || policy.version > newest.version);
    if (counts) inForce.set(policy.policy, policy);
  }
  let chosen: Policy | undefined;
  for (const policy of inForce.values()) {
    if (applies(policy, order) && (chosen === undefined || goesBefore(policy, chosen))) chosen = policy;
  }
  const { policy, version, acknowledgeWithinMinutes, resolveWithinMinutes, warningPercent, clarificationCapMinutes } = chosen ?? builtInTerms;
  return { policy, version, acknowledgeWithinMinutes, resolveWithinMinutes, warningPercent, clarificationCapMinutes };
}

function applies({ window, category, platform }: Policy, order: { category: string; platform: string; at: Date }): boolean {
  const atMs = order.at.getTime();
  if (window !== undefined && (atMs < Date.parse(window.from) || atMs >= Date.parse(window.to))) return false;
  if (category !== undefined && order.category !== category && !order.category.startsWith(`${category}.`)) return false;
  return platform === undefined || order.platform === platform;
}

/** Window before category before platform; then the later in force; then by name, so that the answer does not depend on who asks. */
function goesBefore(one: Policy, other: Policy): boolean {
  const bySpecificity = specificity(one) - specificity(other);
  if (bySpecificity !== 0) return bySpecificity > 0;
  const byDate = Date.parse(one.effectiveFrom) - Date.parse(other.effectiveFrom);
  return byDate === 0 ? one.policy < other.policy : byDate > 0;
}

/** A family of categories is less specific than one category. */
function specificity({ window, category, platform }: Policy): number {
  return (window === undefined ? 0 : 1e6) + (category === undefined ? 0 : 10 * (1 + category.length)) + (platform === undefined ? 0 : 1);
}
