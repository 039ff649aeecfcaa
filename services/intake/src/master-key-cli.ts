import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createPool } from '@sejam/postgres';
import { addMasterKey, countSealed, dropOldMasterKeys, loadMasterKey, type SealedCount } from '@sejam/privacy';
import { StartFault } from '@sejam/service-host';

type Env = Readonly<Record<string, string | undefined>>;

export type MasterKeyAction = (env: Env, say: (line: string) => void) => Promise<void> | void;

/** Shows which keys the file holds and what is kept under which of them. Ids alone, never a key. */
export async function showMasterKeys(env: Env, say: (line: string) => void): Promise<void> {
  const file = masterKeyFile(env);
  const masterKey = loadMasterKey(file);
  const counts = await countAll(env);
  say(`${file} holds ${masterKey.ids.length === 1 ? 'one key' : `${masterKey.ids.length} keys`}:`);
  for (const id of masterKey.ids) say(`  ${id}  ${id === masterKey.currentId ? 'seals' : 'opens what was sealed before'}`);
  say('What is kept under which:');
  const missing = new Set(masterKey.missing(counts.map(({ id }) => id)));
  for (const { schema, table, id, values } of counts) say(`  ${`${schema}.${table}`.padEnd(24)}  ${id}  ${values}${missing.has(id) ? '  the file does not hold this key: put it back from your backup' : ''}`);
}

export function putKeyInFront(env: Env, say: (line: string) => void): void {
  const file = masterKeyFile(env);
  const { currentId } = addMasterKey(file);
  say(`Master key ${currentId} stands in front in ${file} and seals from the next start on.`);
  say('Restart the services, one after the other: each seals anew what it keeps. Then look with "sejam-keys master-key", retire the old key, and back the keys up.');
}

/** Throws StartFault when anything kept is sealed under one of the old keys, or when nothing shows that the database is the right one. */
export async function retireOldKeys(env: Env, say: (line: string) => void): Promise<void> {
  const file = masterKeyFile(env);
  const { ids, currentId } = loadMasterKey(file);
  const old = ids.filter((id) => id !== currentId);
  if (old.length === 0) {
    say(`${file} holds one key alone, ${currentId}: there is none to retire.`);
    return;
  }
  const counts = await countAll(env);
  const needed = counts.filter(({ id }) => id !== currentId);
  if (needed.length > 0) throw new StartFault(`No key is retired: ${needed.map(({ schema, table, id, values }) => `${schema}.${table} holds ${values} under ${id}`).join(', ')}; restart ${listed(needed)}: a service seals anew at its start`);
  dropOldMasterKeys(file);
  say(`Master key ${old.join(', ')} is retired: nothing that is kept needs it, and ${file} holds ${currentId} alone.`);
  say('Backups made before everything was sealed anew need it still: keep the copies of the keys that belong to them, and make a new backup now.');
}

async function countAll(env: Env): Promise<SealedCount[]> {
  const pool = createPool({ url: env['DATABASE_URL'] ?? runningDatabase(homeOf(env)), schema: 'public', max: 1, statementTimeoutMs: 0, applicationName: 'sejam-keys' });
  try {
    const counts = await countSealed(pool);
    if (counts.length === 0) throw new StartFault('The database holds nothing that is sealed: name the one of this installation in DATABASE_URL');
    return counts;
  } finally {
    await pool.end();
  }
}

function homeOf(env: Env): string {
  return resolve(env['SEJAM_HOME'] ?? '.sejam');
}

function masterKeyFile(env: Env): string {
  const file = env['SEJAM_MASTER_KEY_FILE'] ?? join(homeOf(env), 'master.key');
  if (env['SEJAM_MASTER_KEY_FILE'] === undefined && !existsSync(file)) throw new StartFault(`There is no master key file ${file}: name it in SEJAM_MASTER_KEY_FILE, or the data folder in SEJAM_HOME`);
  return file;
}

function runningDatabase(home: string): string {
  try {
    const { databaseUrl } = JSON.parse(readFileSync(join(home, 'running.json'), 'utf8')) as { databaseUrl?: string };
    if (databaseUrl !== undefined) return databaseUrl;
  } catch {
    // Answered below.
  }
  throw new StartFault(`No Sejam runs on ${home}: start it by "npm start", or name the database in DATABASE_URL`);
}

function listed(needed: readonly SealedCount[]): string {
  return [...new Set(needed.map(({ schema }) => schema))].join(', ').replace(/, (\w+)$/, ' and $1');
}
