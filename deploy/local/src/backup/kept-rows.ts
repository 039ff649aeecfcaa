import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import type { Client } from '@sejam/postgres';

const BATCH_ROWS = 1_000;

/**
 * Writes a line with the columns' names, then every row as a line of PostgreSQL's own texts: so large numbers, microseconds and JSON keep each of
 * their characters. Resolves with the number of rows.
 */
export async function writeRows(client: Client, schema: string, table: string, file: string): Promise<number> {
  const handle = openSync(file, 'wx', 0o600);
  try {
    const names = (await columnsOf(client, schema, table)).map(({ name }) => name);
    writeSync(handle, `${JSON.stringify(names)}\n`);
    let count = 0;
    await client.query(`DECLARE kept_rows NO SCROLL CURSOR FOR SELECT to_json(ARRAY[${names.map((name) => `${quoted(name)}::text`).join(', ')}])::text AS line FROM ${schema}.${table}`);
    for (;;) {
      const { rows } = await client.query<{ line: string }>(`FETCH ${BATCH_ROWS} FROM kept_rows`);
      if (rows.length === 0) break;
      writeSync(handle, rows.map(({ line }) => `${line}\n`).join(''));
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
  const columns = await columnsOf(client, schema, table);
  let into = '';
  let batch: string[] = [];
  let count = 0;
  const insert = async (): Promise<void> => {
    if (batch.length > 0) await client.query(into, [`[${batch.join(',')}]`]);
    count += batch.length;
    batch = [];
  };
  for await (const line of linesOf(file)) {
    if (into === '') {
      const names = JSON.parse(line) as string[];
      const values = names.map((name, at) => `(line ->> ${at})::${columns.find((column) => column.name === name)?.type ?? 'no_such_column'}`);
      into = `INSERT INTO ${schema}.${table} (${names.map(quoted).join(', ')}) OVERRIDING SYSTEM VALUE SELECT ${values.join(', ')} FROM json_array_elements($1::json) AS line`;
      continue;
    }
    batch.push(line);
    if (batch.length === BATCH_ROWS) await insert();
  }
  await insert();
  for (const { name } of columns.filter(({ numbered }) => numbered)) {
    await client.query(`SELECT setval(pg_get_serial_sequence($1, $2), max(${quoted(name)})) FROM ${schema}.${table} HAVING max(${quoted(name)}) IS NOT NULL`, [`${schema}.${table}`, name]);
  }
  return count;
}

interface Column {
  readonly name: string;
  readonly type: string;
  /** PostgreSQL gives each new row the next number. */
  readonly numbered: boolean;
}

async function columnsOf(client: Client, schema: string, table: string): Promise<Column[]> {
  const { rows } = await client.query<Column>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attidentity <> '' AS numbered FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [`${schema}.${table}`],
  );
  return rows;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Ended by a newline and nothing else: a text may hold whatever else some take for the end of a line. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(file, 'utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
