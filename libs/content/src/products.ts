/**
 * The eleven products and the kinds of content each one has. Ids and kinds are permanent: they stand in content keys,
 * and content keys stand in the record. Kinds may be added, never renamed.
 */
export const products = {
  whatsapp: { platform: 'meta', title: 'WhatsApp', kinds: ['channel', 'group', 'number', 'product', 'short'] },
  instagram: { platform: 'meta', title: 'Instagram', kinds: ['media', 'story', 'account', 'short'] },
  facebook: { platform: 'meta', title: 'Facebook', kinds: ['post', 'video', 'photo', 'album', 'group', 'event', 'account', 'short'] },
  threads: { platform: 'meta', title: 'Threads', kinds: ['post', 'account'] },
  google_search: { platform: 'google', title: 'Google Search', kinds: ['result', 'short'] },
  youtube: { platform: 'google', title: 'YouTube', kinds: ['video', 'playlist', 'channel', 'handle', 'user', 'custom', 'post'] },
  tiktok: { platform: 'tiktok', title: 'TikTok', kinds: ['video', 'account', 'tag', 'short'] },
  telegram: { platform: 'telegram', title: 'Telegram', kinds: ['message', 'story', 'channel', 'invite', 'phone', 'contact', 'folder', 'stickers'] },
  snackvideo: { platform: 'snackvideo', title: 'SnackVideo', kinds: ['video', 'account', 'short'] },
  line: { platform: 'line', title: 'LINE', kinds: ['openchat', 'group', 'account', 'app', 'short'] },
  line_voom: { platform: 'line', title: 'LINE VOOM', kinds: ['post', 'account'] },
} as const;

export type Product = keyof typeof products;
export type Platform = (typeof products)[Product]['platform'];
export type Kind<P extends Product = Product> = P extends Product ? (typeof products)[P]['kinds'][number] : never;

/** Who answers for what: one platform receives the orders for all of its products. */
export const platforms: Readonly<Record<Platform, readonly Product[]>> = {
  meta: ['whatsapp', 'instagram', 'facebook', 'threads'],
  google: ['google_search', 'youtube'],
  tiktok: ['tiktok'],
  telegram: ['telegram'],
  snackvideo: ['snackvideo'],
  line: ['line', 'line_voom'],
};

export function platformOf(product: Product): Platform {
  return products[product].platform;
}

export function isProduct(text: string): text is Product {
  return Object.hasOwn(products, text);
}

export function isPlatform(text: string): text is Platform {
  return Object.hasOwn(platforms, text);
}

export function isKindOf(product: Product, text: string): text is Kind {
  return (products[product].kinds as readonly string[]).includes(text);
}

/**
 * The hosts a resolver of short links may contact, for each product: https only, at most five hops, exact host names.
 * A redirect to any other host is read (its `Location` is the answer) and never followed; the page behind a shared
 * Google search result, for one, is somebody else's server. Products without short links have no hosts.
 */
export const SHORT_LINK_HOSTS: Readonly<Record<Product, readonly string[]>> = {
  whatsapp: ['wa.me', 'api.whatsapp.com', 'www.whatsapp.com', 'whatsapp.com'],
  instagram: ['www.instagram.com', 'instagram.com'],
  facebook: ['www.facebook.com', 'facebook.com', 'm.facebook.com', 'web.facebook.com', 'fb.watch', 'fb.me', 'fb.gg'],
  threads: [],
  google_search: ['share.google', 'search.app', 'search.app.goo.gl', 'g.co', 'goo.gl', 'www.google.com', 'google.com'],
  youtube: [],
  tiktok: ['vm.tiktok.com', 'vt.tiktok.com', 'www.tiktok.com', 'tiktok.com', 'm.tiktok.com', 'lite.tiktok.com'],
  telegram: [],
  snackvideo: ['sck.io', 'www.snackvideo.com', 'snackvideo.com', 'm.snackvideo.com', 'kw.ai', 's.kw.ai', 'k.kwai.com', 'kwai-video.com', 'www.kwai.com'],
  line: ['lin.ee', 'line.me', 'page.line.me'],
  line_voom: [],
};
