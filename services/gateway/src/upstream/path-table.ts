import { RequestRefused } from '@sejam/service-host';

/** Every service with addresses of its own. */
export const services = ['intake', 'routing', 'sla', 'reporting', 'audit'] as const;
export type ServiceName = (typeof services)[number];

/** First fit decides: what is more precise stands above. */
const table: readonly (readonly [pattern: RegExp, service: ServiceName])[] = [
  [/^\/v1\/reports\/[^/]+\/outcome$/, 'reporting'],
  [/^\/v1\/(reports|organisations|privacy)(\/|$)/, 'intake'],
  [/^\/v1\/(takedowns|platforms|deliveries|refused-webhooks|webhook-keys)(\/|$)/, 'routing'],
  [/^\/v1\/(clocks|sla-policies)(\/|$)/, 'sla'],
  [/^\/v1\/(board|statistics|exports|transparency|events)(\/|$)/, 'reporting'],
  [/^\/board$/, 'reporting'],
  [/^\/v1\/audit(\/|$)/, 'audit'],
  [/^\/\.well-known\/sejam-webhook-keys\.json$/, 'routing'],
  [/^\/\.well-known\/./, 'audit'],
  ...services.map((service) => [new RegExp(`^/v1/parked/${service}(:|%3[aA])[^/]+/(replay|skip)$`), service] as const),
];

/** Which service answers at this path, as it stands in the request line and without its query; undefined: none does. */
export function ownerOf(path: string): ServiceName | undefined {
  return table.find(([pattern]) => pattern.test(path))?.[1];
}

/**
 * Refuses paths that a server behind may read otherwise than the table does: dot segments, slashes in disguise, control characters. What is
 * not refused names the same thing to both, so nothing internal is reached by way of a public prefix.
 */
export function refuseAmbiguous(path: string): void {
  for (const segment of path.split('/').slice(1)) {
    let name: string;
    try {
      name = decodeURIComponent(segment);
    } catch {
      throw malformed();
    }
    // Decoded once more: no name of ours holds a percent sign, and two servers may not agree how often to decode.
    if (name === '' || name === '.' || name === '..' || /[/\\%?#;]/.test(name) || hasControlCharacter(name)) throw malformed();
  }
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function malformed(): RequestRefused {
  return new RequestRefused(400, 'request.malformed', 'The address is not a valid URL path');
}
