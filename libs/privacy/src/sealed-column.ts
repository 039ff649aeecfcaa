import { tx, type Client, type Log, type Pool } from '@sejam/postgres';
import { MasterKeyFault, sealedUnder, type MasterKey } from './master-key.js';
import { SealBroken } from './seal.js';

/**
 * A column of a kept table that holds what the master key sealed. Its name begins with `sealed`, and no other column's does: by that
 * `countSealed` finds it, whichever service's it is.
 */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** Of type text; its values tell the rows apart and are no secret. */
  readonly row: string;
  /** Columns whose values, in this order, `purpose` is called with. */
  readonly purposeFrom: readonly string[];
  purpose(...values: string[]): readonly string[];
}

const BATCH_ROWS = 500;

/**
 * Seals anew, under the current master key, whatever a service keeps under an older one, and resolves with how many values that were. Called at
 * each start: one query where nothing is to be done. May be killed and repeated, and run at once by several instances and beside those that read
 * and write; a row that was deleted meanwhile stays deleted. Throws MasterKeyFault when something is kept under a key that the file does
 * not hold. A value that does not open is left as it is and logged.
 */
export async function resealAll({ pool, masterKey, columns, log }: { pool: Pool; masterKey: MasterKey; columns: readonly SealedColumn[]; log: Log }): Promise<number> {
  const ids = columns.map(({ table, column }) => `SELECT '${table}' AS "table", split_part(${column}, '.', 1) AS id FROM ${table} GROUP BY 2`);
  const { rows } = await pool.query<{ table: string; id: string }>(ids.join(' UNION ALL '));
  masterKey.mustHold(rows.map(({ id }) => id));
  let resealed = 0;
  for (const column of columns) {
    if (rows.some(({ table, id }) => table === column.table && id !== masterKey.currentId)) resealed += await resealColumn(pool, masterKey, column, log);
  }
  if (resealed > 0) log.info({ resealed, masterKeyId: masterKey.currentId }, 'What lay under an older master key is sealed under the current one');
  return resealed;
}

/** Some hundred rows a transaction, each locked in the order of its key, so that two instances wait for each other and never in a circle. */
async function resealColumn(pool: Pool, masterKey: MasterKey, { table, column, row, purposeFrom, purpose }: SealedColumn, log: Log): Promise<number> {
  let resealed = 0;
  for (let after = ''; ; ) {
    const done = await tx(pool, async (client) => {
      const { rows } = await client.query<{ row: string; sealed: string; values: string[] }>(
        `SELECT ${row} AS "row", ${column} AS sealed, ARRAY[${purposeFrom.join(', ')}] AS "values" FROM ${table}
         WHERE split_part(${column}, '.', 1) <> $1 AND ${row} > $2 ORDER BY ${row} LIMIT ${BATCH_ROWS} FOR UPDATE`,
        [masterKey.currentId, after],
      );
      const renewed = rows.flatMap((one) => {
        try {
          return [{ ...one, anew: masterKey.reseal(one.sealed, purpose(...one.values)) }];
        } catch (error) {
          if (!(error instanceof SealBroken || error instanceof MasterKeyFault)) throw error;
          log.error({ table, row: one.row, masterKeyId: sealedUnder(one.sealed), error: error.message }, 'A sealed value does not open and stays under its master key');
          return [];
        }
      });
      const { rowCount } = await client.query(
        `UPDATE ${table} SET ${column} = renewed.anew FROM unnest($1::text[], $2::text[], $3::text[]) AS renewed ("row", old, anew)
         WHERE ${table}.${row} = renewed."row" AND ${table}.${column} = renewed.old`,
        [renewed.map((one) => one.row), renewed.map((one) => one.sealed), renewed.map((one) => one.anew)],
      );
      return { rowCount, last: rows.length < BATCH_ROWS ? undefined : rows.at(-1)?.row };
    });
    resealed += done.rowCount;
    if (done.last === undefined) return resealed;
    after = done.last;
  }
}

/** So many values of a table lie under the master key of this id. */
export interface SealedCount {
  readonly schema: string;
  readonly table: string;
  readonly id: string;
  readonly values: number;
}

/**
 * Counts every sealed value of these schemas, found by the names of their columns. Without them: of each service's schema in the database, but for
 * those that a restore has set aside or not finished.
 */
export async function countSealed(client: Client, schemas?: readonly string[]): Promise<SealedCount[]> {
  const { rows: columns } = await client.query<{ schema: string; table: string; column: string }>(
    `SELECT table_schema AS schema, table_name AS "table", column_name AS "column" FROM information_schema.columns
     WHERE column_name LIKE 'sealed%' AND table_schema = ANY(coalesce($1,
       (SELECT array_agg(table_schema::text) FROM information_schema.tables WHERE table_name = 'part_of_record' AND table_schema !~ '_(replaced_\\w+|restoring)$')))
     ORDER BY 1, 2`,
    [schemas ?? null],
  );
  const counts: SealedCount[] = [];
  for (const { schema, table, column } of columns) {
    const { rows } = await client.query<{ id: string; values: number }>(`SELECT split_part("${column}", '.', 1) AS id, count(*) AS "values" FROM "${schema}"."${table}" GROUP BY 1 ORDER BY 1`);
    counts.push(...rows.map(({ id, values }) => ({ schema, table, id, values })));
  }
  return counts;
}
