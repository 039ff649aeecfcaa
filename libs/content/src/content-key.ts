import { v5 as uuidv5 } from 'uuid';
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

/** The id of the takedown of this content, known before any service has acted. */
export function takedownIdOf(contentKey: ContentKey): string {
  return uuidv5(`takedown/${contentKey}`, NAMESPACE);
}

/** The id of an organisation's report with this reference: the same reference is the same report. */
export function reportIdOf(organisation: string, reference: string): string {
  return uuidv5(`report/${organisation}/${reference}`, NAMESPACE);
}
