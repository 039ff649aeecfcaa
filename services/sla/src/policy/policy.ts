/** Whole minutes; `warningPercent` of the resolution time. */
export interface SlaPolicy {
  policy: string;
  version: number;
  /** Half-open span of domain time. */
  window?: { from: string; to: string };
  category?: string;
  platform?: string;
  acknowledgeWithinMinutes: number;
  resolveWithinMinutes: number;
  warningPercent: number;
  clarificationCapMinutes: number;
  effectiveFrom: string;
  reason: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type SlaPolicyEvent = { type: 'SlaPolicySet'; data: SlaPolicy };
