/** Published figures, from `data/pilkada-2024.json`. */
export interface Figures {
  readonly pilkada2024_bawaslu: { readonly reports: number; readonly category: Readonly<Record<string, number>>; readonly product: Readonly<Record<string, number>> };
  readonly kominfo2023: { readonly hoax_issues: number; readonly contents: number; readonly product: Readonly<Record<string, number>> };
}

export interface PlannedReport {
  readonly reference: string;
  readonly category: string;
  readonly contentForm: string;
  readonly language: string;
  readonly region: string;
  readonly summary: string;
  readonly legalBasis: readonly string[];
  readonly target?: string;
  readonly issue?: { readonly reference: string; readonly title: string };
  readonly contents: readonly { readonly url: string; readonly note?: string }[];
  readonly reporter?: { readonly name: string; readonly contact: string };
}

/** What somebody does, and when: domain minutes after the day begins. `key` names a key of the credentials file. */
export type Step =
  | { readonly at: number; readonly do: 'submit'; readonly key: string; readonly report: PlannedReport; readonly expect: 'accepted' | 'repeated' | 'unroutable' }
  | { readonly at: number; readonly do: 'approve' | 'decline' | 'withdraw'; readonly key: string; readonly of: PlannedReport };

export interface DayOptions {
  readonly seed: number;
  /** Reports on the day; the published number without it. */
  readonly reports?: number;
  /** Domain minutes in which they come in; the decisions follow. */
  readonly minutes: number;
}

const agencies = ['bawaslu', 'kpu', 'kominfo'] as const;
type Agency = (typeof agencies)[number];

const hoaxes = ['hoax.voting_procedure', 'hoax.results_count', 'hoax.candidate', 'hoax.organiser', 'hoax.other'];
const regions = ['32', '32.73', '31.71', '33.74', '35.78', '51.71', '73.71', '12.71', '91.71'];
const claims: Readonly<Record<string, string>> = {
  hoax: 'Klaim bahwa hari pemungutan suara dipindahkan',
  hate_speech: 'Ujaran yang menyerang suatu golongan',
  campaign_violation: 'Kampanye pada masa tenang',
  asn_neutrality: 'Aparatur negara mengajak memilih satu pasangan calon',
};

/**
 * A day of the election, drawn from the published figures: the mix of categories and products, issues that fan out over many contents, second
 * reports of the same content, retries, addresses that nobody can route, decisions by a second officer, declines, withdrawals. The same seed
 * gives the same day.
 */
export function electionDay(figures: Figures, { seed, reports = figures.pilkada2024_bawaslu.reports, minutes }: DayOptions): Step[] {
  const draw = drawing(seed);
  const products = { ...figures.pilkada2024_bawaslu.product };
  const others = products['other'] ?? 0;
  delete products['other'];
  // What the published figures call "other", shared out over the remaining products that take part.
  const rest: Record<string, number> = { youtube: 0.3, telegram: 0.18, snackvideo: 0.16, whatsapp: 0.1, threads: 0.08, line: 0.08, line_voom: 0.05, google_search: 0.05 };
  for (const [product, share] of Object.entries(rest)) products[product] = others * share;
  const { x: _elsewhere, ...issueProducts } = figures.kominfo2023.product;
  const fanOut = Math.round(figures.kominfo2023.contents / figures.kominfo2023.hoax_issues);

  const steps: Step[] = [];
  const contents: { url: string; by: string }[] = [];
  let issues = 0;
  for (let n = 1; n <= reports; n += 1) {
    const at = Math.floor(draw.number() * minutes * 100) / 100;
    const agency = draw.weighted<Agency>({ bawaslu: 6, kpu: 2, kominfo: 2 });
    const partner = draw.chance(0.12);
    const key = partner ? 'partner' : agency;
    const general = draw.weighted(figures.pilkada2024_bawaslu.category);
    const category = general === 'hoax' ? draw.one(hoaxes) : general === 'process_violation' ? draw.one(['campaign_violation', 'asn_neutrality']) : general;
    const isIssue = general === 'hoax' && draw.chance(0.08);
    const second = contents.length > 10 && !isIssue && draw.chance(0.1) ? contents[draw.below(contents.length)] : undefined;
    const urls = isIssue
      ? Array.from({ length: fanOut + draw.below(5) - 2 }, () => contentUrl(draw.weighted({ ...issueProducts, telegram: 40, line_voom: 15, whatsapp: 15 }), draw))
      : [second?.url ?? contentUrl(draw.weighted(products), draw)];
    if (second === undefined) for (const url of urls) contents.push({ url, by: key });
    if (draw.chance(0.03)) urls.push(`https://berita-${draw.below(1000)}.example/${draw.below(100000)}`);
    issues += isIssue ? 1 : 0;
    const report: PlannedReport = {
      reference: `${key.toUpperCase()}-${String(n).padStart(4, '0')}`,
      category,
      contentForm: draw.weighted({ video: 6, image: 2, text: 2 }),
      language: 'id',
      region: draw.one(regions),
      summary: `${claims[general] ?? claims[category] ?? 'Konten yang melanggar'} (laporan ${n})`,
      legalBasis: [draw.one(['UU-10-2016:69-b', 'UU-10-2016:69-c', 'UU-ITE:28-2'])],
      ...(draw.chance(0.05) ? { target: `organiser:${draw.one(agencies)}` } : {}),
      ...(isIssue ? { issue: { reference: `ISU-${issues}`, title: `Isu hoaks ${issues}` } } : {}),
      ...(draw.chance(0.2) ? { reporter: { name: `Pelapor ${n}`, contact: `pelapor${n}@warga.example` } } : {}),
      contents: urls.map((url) => ({ url })),
    };
    steps.push({ at, do: 'submit', key, report, expect: 'accepted' });
    if (draw.chance(0.05)) steps.push({ at: at + 0.2, do: 'submit', key, report, expect: 'repeated' });
    steps.push(...whatFollows(report, key, at, draw));
  }
  for (let n = 1; n <= Math.ceil(reports / 60); n += 1) {
    const report: PlannedReport = {
      reference: `LUAR-${n}`, category: 'hoax.other', contentForm: 'link', language: 'id', region: '32', summary: 'Situs di luar platform', legalBasis: ['UU-ITE:28-2'],
      contents: [{ url: `https://situs-${n}.example/kabar` }],
    };
    steps.push({ at: draw.number() * minutes, do: 'submit', key: 'bawaslu', report, expect: 'unroutable' });
  }
  return steps.sort((one, other) => one.at - other.at);
}

function whatFollows(report: PlannedReport, key: string, at: number, draw: Drawing): Step[] {
  const about = report.target?.slice('organiser:'.length);
  // Not the agency that the report is about; and of the agency that submitted, the other officer.
  const agency = draw.one(agencies.filter((one) => one !== about));
  const reviewer = `${agency}Reviewer`;
  // Some decisions come after the 15 minutes that an agency has.
  const decidedAt = at + (draw.chance(0.05) ? 16 + draw.number() * 5 : 1 + draw.number() * 11);
  if (draw.chance(0.02)) return [{ at: at + 0.5 + draw.number(), do: 'withdraw', key, of: report }];
  if (draw.chance(0.12)) return [{ at: decidedAt, do: 'decline', key: reviewer, of: report }];
  const approved: Step = { at: decidedAt, do: 'approve', key: reviewer, of: report };
  return draw.chance(0.02) ? [approved, { at: decidedAt + 2 + draw.number() * 10, do: 'withdraw', key, of: report }] : [approved];
}

/** An address as people paste it: with the tracking of whoever shared it, and in one of the spellings of the product. */
function contentUrl(product: string, draw: Drawing): string {
  const digits = (count: number) => Array.from({ length: count }, (_, index) => (index === 0 ? 1 + draw.below(9) : draw.below(10))).join('');
  const code = (length: number) => Array.from({ length }, () => 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'[draw.below(62)]).join('');
  switch (product) {
    case 'tiktok':
      return draw.one([`https://www.tiktok.com/@akun${draw.below(90)}/video/${digits(19)}?_t=8pd${code(8)}&_r=1`, `https://m.tiktok.com/v/${digits(19)}.html`]);
    case 'facebook':
      return draw.one([`https://www.facebook.com/reel/${digits(16)}?mibextid=${code(6)}`, `https://m.facebook.com/story.php?story_fbid=${digits(16)}&id=${digits(15)}&sfnsn=mo`]);
    case 'instagram':
      return `https://www.instagram.com/reel/${code(11)}/?igsh=${code(16)}`;
    case 'threads':
      return `https://www.threads.com/@akun${draw.below(90)}/post/${code(11)}?xmt=${code(8)}`;
    case 'whatsapp':
      return `https://whatsapp.com/channel/0029V${code(19)}`;
    case 'youtube':
      return draw.one([`https://youtu.be/${code(11)}?si=${code(16)}`, `https://m.youtube.com/shorts/${code(11)}`]);
    case 'telegram':
      return `https://t.me/kanal${draw.below(60)}/${1 + draw.below(90_000)}?single`;
    case 'snackvideo':
      return `https://www.snackvideo.com/@akun${draw.below(90)}/video/5${digits(18)}?share_id=${code(8)}`;
    case 'line':
      return `https://line.me/ti/g2/${code(38)}?utm_source=invitation`;
    case 'line_voom':
      return `https://linevoom.line.me/post/116${digits(16)}`;
    default:
      return `https://www.google.co.id/url?sa=t&url=${encodeURIComponent(`https://kabar-${code(5).toLowerCase()}.example/${draw.below(9000)}`)}&ved=${code(10)}`;
  }
}

interface Drawing {
  /** From 0 to below 1. */
  number(): number;
  below(limit: number): number;
  chance(probability: number): boolean;
  one<T>(from: readonly T[]): T;
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T;
}

/** Mulberry32: small, and the same on every machine. */
function drawing(seed: number): Drawing {
  let state = seed >>> 0;
  const number = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(number() * limit);
  return {
    number,
    below,
    chance: (probability) => number() < probability,
    one: (from) => from[below(from.length)] as (typeof from)[number],
    weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
      const entries = Object.entries(weights) as [T, number][];
      let left = number() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
      return (entries.at(-1) as [T, number])[0];
    },
  };
}
