import type { Terms } from './takedown.js';

/** One version of a policy as sla publishes it. Whole minutes; percent of the resolution time. */
export interface Policy extends Terms {
  /** Half-open span of domain time. */
  readonly window?: { readonly from: string; readonly to: string };
  /** Exact, or a prefix that ends at a dot: `hoax` covers `hoax.candidate`. */
  readonly category?: string;
  readonly platform?: string;
  readonly effectiveFrom: string;
}

/** Version 0 holds until the first policy arrives, and where none applies. */
export const builtInTerms: Terms = {
  policy: 'default',
  version: 0,
  acknowledgeWithinMinutes: 10,
  resolveWithinMinutes: 60,
  warningPercent: 75,
  clarificationCapMinutes: 30,
};

/**
 * The terms of an order issued at `at`. Of each policy the newest version in force counts; of these the most specific wins:
 * window before category before platform before default. The order keeps what was chosen, so that a later policy changes nothing.
 */
export function chooseTerms(policies: readonly Policy[], { at, category, platform }: { at: Date; category: string; platform: string }): Terms {
  const atMs = at.getTime();
  const inForce = new Map<string, Policy>();
  for (const policy of policies) {
    const known = inForce.get(policy.policy);
    if (Date.parse(policy.effectiveFrom) <= atMs && (known === undefined || policy.version > known.version)) inForce.set(policy.policy, policy);
  }
  const applying = [...inForce.values()].filter(
    (policy) =>
      (policy.window === undefined || (Date.parse(policy.window.from) <= atMs && atMs < Date.parse(policy.window.to))) &&
      (policy.category === undefined || category === policy.category || category.startsWith(`${policy.category}.`)) &&
      (policy.platform === undefined || platform === policy.platform),
  );
  const [chosen] = applying.sort(
    (one, other) =>
      specificity(other) - specificity(one) ||
      Date.parse(other.effectiveFrom) - Date.parse(one.effectiveFrom) ||
      // Nothing that the policies say tells these two apart; every process must choose the same.
      (one.policy < other.policy ? -1 : 1),
  );
  if (chosen === undefined) return builtInTerms;
  const { policy, version, acknowledgeWithinMinutes, resolveWithinMinutes, warningPercent, clarificationCapMinutes } = chosen;
  return { policy, version, acknowledgeWithinMinutes, resolveWithinMinutes, warningPercent, clarificationCapMinutes };
}

function specificity({ window, category, platform }: Policy): number {
  return (window === undefined ? 0 : 4) + (category === undefined ? 0 : 2) + (platform === undefined ? 0 : 1);
}
