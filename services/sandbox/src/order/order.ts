/** The six platforms of the task force. */
export const platforms = ['meta', 'google', 'tiktok', 'telegram', 'snackvideo', 'line'] as const;
export type Platform = (typeof platforms)[number];

export function isPlatform(name: string): name is Platform {
  return (platforms as readonly string[]).includes(name);
}

/** A message as the clearing house sends it. Read only the fields you need: new ones may be added at any time. */
export interface Message {
  readonly type: string;
  /** When the clearing house decided to send it. */
  readonly timestamp: string;
  readonly data: {
    readonly orderId: string;
    /** Rises within a takedown. Messages of one order come in order; of two messages about one takedown the higher is the newer. */
    readonly sequence?: number;
    readonly contentKey?: string;
    readonly content?: { readonly contentKey?: string; readonly canonicalUrl?: string };
    readonly requestedAction?: string;
    readonly clarificationUrl?: string;
    readonly territories?: readonly string[];
    readonly terms?: { readonly acknowledgeWithinMinutes?: number; readonly resolveWithinMinutes?: number };
    /** `objection.ruled` */
    readonly ruling?: 'upheld' | 'dismissed';
    /** `order.withdrawn`: the content was acted on and is to come back. */
    readonly reinstate?: boolean;
  };
}

/**
 * Reads a body whose signature held. Undefined when it is not a message: then it is refused, and the clearing house's operator sees it.
 * A message about no order is `endpoint.ping`: it is answered and forgotten.
 */
export function readMessage(body: unknown): Message | undefined {
  if (!isObject(body) || typeof body['type'] !== 'string' || !isObject(body['data'])) return undefined;
  const timestamp = typeof body['timestamp'] === 'string' && !Number.isNaN(Date.parse(body['timestamp'])) ? body['timestamp'] : undefined;
  if (timestamp === undefined) return undefined;
  const orderId = body['data']['orderId'];
  if (typeof orderId !== 'string' && body['type'] !== 'endpoint.ping') return undefined;
  return { type: body['type'], timestamp, data: { ...body['data'], orderId: typeof orderId === 'string' ? orderId : '' } };
}

export function contentKeyOf({ data }: Message): string | undefined {
  return data.content?.contentKey ?? data.contentKey;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
