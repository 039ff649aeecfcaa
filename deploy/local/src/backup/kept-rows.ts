import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import type { Client } from '@sejam/postgres';

const BATCH_ROWS = 1_000;

/** Writes every row as a line of JSON, as PostgreSQL words it; so neither large numbers nor microseconds are lost on the way. Resolves with their number. */
export async function writeRows(client: Client, schema: string, table: string, file: string): Promise<number> {
  const handle = openSync(file, 'wx', 0o600);
  try {
    let count = 0;
    await client.query(`DECLARE kept_rows NO SCROLL CURSOR FOR SELECT row_to_json(kept)::text AS line FROM ${schema}.${table} AS kept`);
    for (;;) {
      const { rows } = await client.query<{ line: string }>(`FETCH ${BATCH_ROWS} FROM kept_rows`);
      if (rows.length === 0) break;
      writeSync(handle, rows.map(({ line }) => `${line.replaceAll('\n', ' ')}\n`).join(''));
      count += rows.length;
    }
    await client.query('CLOSE kept_rows');
    return count;
  } finally {
    closeSync(handle);
  }
}

/** Puts the lines back, with the numbers that the rows had, and lets new rows be numbered behind them. Resolves with their number. */
export async function readRows(client: Client, schema: string, table: string, file: string): Promise<number> {
  let batch: string[] = [];
  let count = 0;
  const insert = async (): Promise<void> => {
    await client.query(`INSERT INTO ${schema}.${table} OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::${schema}.${table}, $1::json)`, [`[${batch.join(',')}]`]);
    count += batch.length;
    batch = [];
  };
  for await (const line of linesOf(file)) {
    batch.push(line);
    if (batch.length === BATCH_ROWS) await insert();
  }
  if (batch.length > 0) await insert();
  const { rows } = await client.query<{ name: string }>(`SELECT column_name AS name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 AND is_identity = 'YES'`, [schema, table]);
  for (const { name } of rows) await client.query(`SELECT setval(pg_get_serial_sequence($1, $2), max(${name})) FROM ${schema}.${table} HAVING max(${name}) IS NOT NULL`, [`${schema}.${table}`, name]);
  return count;
}

/** Ended by a newline and nothing else: a text may hold whatever else some take for the end of a line. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(file, 'utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
