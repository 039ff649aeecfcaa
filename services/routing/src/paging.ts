import { RequestRefused } from '@sejam/service-host';

/** Where a page ended: a time and an id that tells rows of the same time apart. Opaque to callers. */
export function writeCursor(time: Date, id: string): string {
  return Buffer.from(`${time.toISOString()} ${id}`).toString('base64url');
}

/** `id`: what an id of this list looks like. Throws `request.invalid-cursor`. */
export function readCursor(cursor: string, id: RegExp): [time: string, id: string] {
  const [time = '', last = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  if (Number.isNaN(Date.parse(time)) || !id.test(last)) throw new RequestRefused(400, 'request.invalid-cursor', 'This cursor was not made here: begin without one');
  return [time, last];
}

/** Of `limit + 1` rows the page, and the cursor to the next one where there is more. */
export function pageOf<Row>(rows: readonly Row[], limit: number, placeOf: (row: Row) => [time: Date, id: string]): { items: readonly Row[]; next?: string } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, next: writeCursor(...placeOf(last)) } : { items };
}
