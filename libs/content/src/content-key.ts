import { hash } from 'node:crypto';
import { isKindOf, isProduct, type Kind, type Product } from './products.js';

/** `product:kind:id`. The id may hold further colons (`telegram:message:somechannel:1234:c77`). */
export type ContentKey = string;

export function contentKeyOf(product: Product, kind: Kind, id: string): ContentKey {
  return `${product}:${kind}:${id}`;
}

/** Takes a key apart; undefined when the product or the kind is not ours or the id is missing. */
export function parseContentKey(contentKey: string): { product: Product; kind: Kind; id: string } | undefined {
  const [product = '', kind = ''] = contentKey.split(':', 2);
  const id = contentKey.slice(product.length + kind.length + 2);
  if (!isProduct(product) || !isKindOf(product, kind) || id === '') return undefined;
  return { product, kind, id };
}

/** The namespace of every id that Sejam derives from a name. Part of the public contract: anybody can recompute an id. */
const NAMESPACE = '9f8707f0-e5d4-40c2-9d80-ea3597b45314';
const namespaceBytes = Buffer.from(NAMESPACE.replaceAll('-', ''), 'hex');

/** The id of the takedown of this content, known before any service has acted. */
export function takedownIdOf(contentKey: ContentKey): string {
  return idOfName(`takedown/${contentKey}`);
}

/** The id of an organisation's report with this reference: the same reference is the same report. */
export function reportIdOf(organisation: string, reference: string): string {
  return idOfName(`report/${organisation}/${reference}`);
}

/** RFC 9562, section 5.5: a UUID of version 5. Every content of every report has one, so it is hashed in one call. */
function idOfName(name: string): string {
  const digest = hash('sha1', Buffer.concat([namespaceBytes, Buffer.from(name)]), 'buffer');
  digest[6] = ((digest[6] as number) & 0x0f) | 0x50;
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80;
  const hex = digest.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
