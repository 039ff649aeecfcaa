import { setTimeout as delay } from 'node:timers/promises';
import { keepLease, tx, type Pool } from '@sejam/postgres';
import type { Logger } from '@sejam/service-host';
import { formatAddCheckpoint, formatSignatureLine, NoteRefused, parseTreeSize, proveConsistency, readCosignatures, type TlogPolicy } from '@sejam/transparency-log';
import type { Alarms } from './alarms.js';
import { nodeReader } from './log-tables.js';
import { keepCosignature, newestCheckpoint } from './signed-checkpoints.js';

export interface WitnessesOptions {
  readonly pool: Pool;
  readonly policy: TlogPolicy;
  readonly alarms: Alarms;
  readonly log: Logger;
  /** Between two questions to one witness. */
  readonly everyMs?: number;
}

const TIMEOUT_MS = 10_000;

type Witness = TlogPolicy['witnesses'][number];

/** Asks every witness that has an address to cosign the newest checkpoint, for ever. A witness that is away delays nobody else. */
export function askWitnesses({ pool, policy, alarms, log, everyMs = 1_000 }: WitnessesOptions): { stop(): Promise<void> } {
  const keepers = policy.witnesses.filter(({ url }) => url !== undefined).map((witness) => keepLease({
    pool, name: `witness ${witness.name}`, log,
    async work({ signal }) {
      for (let failures = 0; !signal.aborted; ) {
        try {
          await askOnce(pool, witness);
          failures = 0;
        } catch (error) {
          failures += 1;
          if (error instanceof WitnessDisagrees) await alarms.raise('witness-disagrees', witness.name, error.message);
          else if (failures === 1) log.warn({ witness: witness.name, error: String(error) }, 'A witness does not cosign; asking again');
        }
        await delay(Math.min(everyMs * 2 ** failures, 60_000), undefined, { signal }).catch(() => {});
      }
    },
  }));
  return { stop: async () => void (await Promise.all(keepers.map((keeper) => keeper.stop()))) };
}

/** It has seen another tree than ours: one of the two was forked, which is what witnesses are for. */
class WitnessDisagrees extends Error {}

async function askOnce(pool: Pool, { name, key, url }: Witness): Promise<void> {
  const newest = await newestCheckpoint(pool);
  if (newest === undefined) return;
  const { rows } = await pool.query<{ size: number }>('SELECT size FROM witness WHERE vkey = $1', [key.vkey]);
  let oldSize = rows[0]?.size ?? 0;
  const done = await pool.query('SELECT 1 FROM cosignature WHERE size = $1 AND vkey = $2', [newest.size, key.vkey]);
  if (done.rowCount > 0) return;
  // The second try is with the size that the witness told us.
  for (let attempt = 1; ; attempt += 1) {
    if (oldSize > newest.size) throw new WitnessDisagrees(`Witness ${name} has cosigned ${oldSize} events, and the log holds ${newest.size}`);
    const proof = await proveConsistency(oldSize, newest.size, nodeReader(pool));
    const response = await fetch(`${url!.replace(/\/$/, '')}/add-checkpoint`, {
      method: 'POST', body: formatAddCheckpoint({ oldSize, proof, checkpoint: newest.note }), redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = (await response.text()).slice(0, 10_000);
    if (response.status === 409 && attempt === 1) {
      oldSize = parseTreeSize(body.trim());
    } else if (response.status === 422) {
      throw new WitnessDisagrees(`Witness ${name} does not take the log for the one it has cosigned before (${oldSize} events): ${body.trim()}`);
    } else if (!response.ok) {
      throw new Error(`It answered ${response.status}: ${body.trim().slice(0, 200)}`);
    } else {
      const [cosignature] = readCosignatures(newest.note, body, [key]);
      if (cosignature === undefined) throw new NoteRefused('unsigned', 'Its answer bears no signature of its key');
      await tx(pool, (client) => keepCosignature(client, { size: newest.size, vkey: key.vkey, line: formatSignatureLine(cosignature.signature).trimEnd() }));
      return;
    }
  }
}
