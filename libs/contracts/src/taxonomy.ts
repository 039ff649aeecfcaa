import { readFileSync } from 'node:fs';

/** Version of the lists below. A word may be added; none is removed or given another meaning. */
export const taxonomyVersion = 1;

export const categories = [
  'hoax.voting_procedure', 'hoax.results_count', 'hoax.candidate', 'hoax.organiser', 'hoax.other', 'manipulated_media', 'hate_speech',
  'sara_politicisation', 'defamation', 'impersonation', 'intimidation_incitement', 'campaign_violation', 'asn_neutrality',
  'scam_exploiting_election', 'sector_agency',
] as const;

export const contentForms = ['text', 'image', 'video', 'audio', 'synthetic', 'link', 'account', 'group', 'channel', 'search_result', 'ad'] as const;

export const actions = [
  'removed', 'access_disabled', 'labelled', 'demoted', 'age_restricted', 'interaction_restricted', 'account_suspended',
  'account_terminated', 'already_gone',
] as const;
export type Action = (typeof actions)[number];

/** What an agency may ask for; `already_gone` is an answer only. */
export const requestableActions = actions.filter((action) => action !== 'already_gone');

export const refusalReasons = [
  'not_found', 'not_illegal_here', 'insufficient_information', 'wrong_platform', 'protected_speech', 'duplicate',
  'technically_impossible', 'other',
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

export interface LegalBasis {
  readonly code: string;
  readonly title: string;
}

const builtIn: readonly LegalBasis[] = [
  { code: 'UU-10-2016:69-b', title: 'UU 10/2016 Pasal 69 huruf b: menghina seseorang, agama, suku, ras, golongan, calon atau partai politik dalam kampanye' },
  { code: 'UU-10-2016:69-c', title: 'UU 10/2016 Pasal 69 huruf c: menghasut, memfitnah, mengadu domba partai politik, perseorangan atau kelompok masyarakat dalam kampanye' },
  { code: 'UU-10-2016:187', title: 'UU 10/2016 Pasal 187: ketentuan pidana kampanye' },
  { code: 'UU-7-2017:280', title: 'UU 7/2017 Pasal 280: larangan dalam kampanye pemilihan umum' },
  { code: 'UU-ITE:28-1', title: 'UU ITE Pasal 28 ayat (1): informasi bohong atau menyesatkan yang mengakibatkan kerugian konsumen' },
  { code: 'UU-ITE:28-2', title: 'UU ITE Pasal 28 ayat (2): hasutan kebencian atau permusuhan berdasarkan ras, kebangsaan, etnis, warna kulit, agama, kepercayaan, jenis kelamin atau disabilitas' },
  { code: 'UU-ITE:28-3', title: 'UU ITE Pasal 28 ayat (3): pemberitahuan bohong yang menimbulkan kerusuhan di masyarakat' },
  { code: 'PERMENKOMINFO-5-2020:9-4-a', title: 'Permenkominfo 5/2020 Pasal 9 ayat (4) huruf a: melanggar ketentuan peraturan perundang-undangan' },
  { code: 'PERMENKOMINFO-5-2020:9-4-b', title: 'Permenkominfo 5/2020 Pasal 9 ayat (4) huruf b: meresahkan masyarakat dan mengganggu ketertiban umum' },
  { code: 'PERMENKOMINFO-5-2020:9-4-c', title: 'Permenkominfo 5/2020 Pasal 9 ayat (4) huruf c: memberitahukan cara atau menyediakan akses terhadap konten yang dilarang' },
];

/**
 * The legal bases by code. An operator extends the built-in list by a JSON file `[{"code", "title"}]`, the same for intake and routing.
 * Throws an Error whose message completes the sentence "SEJAM_LEGAL_BASES_FILE …".
 */
export function legalBases(file?: string): ReadonlyMap<string, LegalBasis> {
  const all = new Map(builtIn.map((basis) => [basis.code, basis]));
  if (file === undefined) return all;
  let added: unknown;
  try {
    added = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`cannot be read from ${file}: ${(error as Error).message}`, { cause: error });
  }
  if (!Array.isArray(added)) throw new Error(`must name a JSON list of {"code", "title"}; ${file} holds something else`);
  for (const [index, basis] of (added as (Partial<LegalBasis> | null)[]).entries()) {
    const { code, title } = basis ?? {};
    if (typeof code !== 'string' || typeof title !== 'string' || !/^[A-Z0-9][A-Z0-9-]{0,40}:[A-Za-z0-9-]{1,20}$/.test(code)) {
      throw new Error(`must name a JSON list of {"code", "title"}; entry ${index} of ${file} is something else`);
    }
    all.set(code, { code, title });
  }
  return all;
}
