import type { Address } from './address.js';
import type { Kind, Product } from './products.js';

/** What one family of products makes of an address on one of its hosts. */
export type Reading =
  /** It names this content. */
  | { product: Product; kind: Kind; id: string; canonicalUrl: string }
  /** It only leads to another address. `listing`: a search engine lists that address, whoever's it is. */
  | { wraps: string; listing?: true }
  /** The product's own page, but no content: a feed, a search form, a help page. */
  | 'not-content'
  /** The host belongs to the same company and to none of the products. */
  | 'not-ours';

/** `subdomain` is what stands before the registrable domain, without its dot; empty for the domain itself. */
export type Family = (address: Address, subdomain: string, domain: string) => Reading;

export function content<P extends Product>(product: P, kind: Kind<P>, id: string, canonicalUrl: string): Reading {
  return { product, kind, id, canonicalUrl };
}

/**
 * The address inside another. Relative ones (`/watch?v=…` in an attribution link) belong to `origin`; one escaped twice
 * is unescaped; a space that the outer decoding laid bare is escaped again.
 */
export function wrapped(value: string | undefined, origin: string): Reading {
  if (value === undefined) return 'not-content';
  let target = value;
  if (/^(?:https?%3a|%2f)/i.test(target)) {
    try {
      target = decodeURIComponent(target);
    } catch {
      return 'not-content';
    }
  }
  target = target.replaceAll(' ', '%20');
  return { wraps: target.startsWith('/') && !target.startsWith('//') ? origin + target : target };
}

/** An unsigned 64-bit id in decimal, as all of these products number things. */
export function isNumericId(text: string | undefined): text is `${bigint}` {
  return text !== undefined && /^[1-9]\d{0,19}$/.test(text);
}

/** An opaque code in the URL-safe alphabet; its case matters. */
export function isCode(text: string | undefined, least: number, most: number): text is string {
  return text !== undefined && text.length >= least && text.length <= most && /^[A-Za-z0-9_-]+$/.test(text);
}

/** Folds a name where the product ignores case. Composed, so that one name has one spelling. */
export function foldCase(name: string): string {
  return name.normalize('NFC').toLowerCase().normalize('NFC');
}

/**
 * Where a parameter names one comment under the content, the comment is what was reported: taking down the post
 * beneath which it stands would be somebody else's loss. `undefined` when the parameter is there but unreadable.
 */
export function commentSuffix(comment: string | undefined, pattern: RegExp): string | undefined {
  if (comment === undefined) return '';
  return pattern.test(comment) ? `:c${comment}` : undefined;
}
