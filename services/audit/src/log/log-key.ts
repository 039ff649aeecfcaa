import { openSecret, purposeOfSecret, sealSecret, type MasterKey, type SealedColumn } from '@sejam/privacy';
import type { Pool } from '@sejam/postgres';
import { generateNoteSigner, parseSignerSecret, type NoteSigner } from '@sejam/transparency-log';
import { LogHalted } from './log-faults.js';

export const sealedLogKey: SealedColumn = {
  table: 'log', column: 'sealed_secret', row: 'origin', purposeFrom: ['origin'],
  purpose: (origin = '') => purposeOfSecret(purposeOf(origin)),
};

/**
 * The key that signs checkpoints: made by whichever instance starts first, and never again. Throws LogHalted when the key that is kept is of
 * another origin.
 */
export async function openLogKey(pool: Pool, masterKey: MasterKey, origin: string): Promise<NoteSigner> {
  const purpose = purposeOf(origin);
  const fresh = generateNoteSigner(origin, 'ed25519');
  await pool.query('INSERT INTO log (origin, vkey, sealed_secret) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [origin, fresh.verifier.vkey, sealSecret(masterKey, purpose, fresh.secret)]);
  const { rows } = await pool.query<{ origin: string; sealed_secret: string }>('SELECT origin, sealed_secret FROM log');
  const kept = rows[0];
  if (kept?.origin !== origin) throw new LogHalted(`The transparency log that is kept is of ${kept?.origin}, not of ${origin}`);
  return parseSignerSecret(openSecret(masterKey, purpose, kept.sealed_secret));
}

function purposeOf(origin: string): string[] {
  return ['transparency-log', origin];
}
