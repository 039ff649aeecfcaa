import { RequestRefused } from '@sejam/service-host';

/** Where a page of a list that is ordered by time and id ends; opaque to callers. */
export const writeCursor = (time: Date, id: string): string => Buffer.from(`${time.toISOString()} ${id}`).toString('base64url');

/** Throws `request.invalid-cursor` when it is none of a list with such ids. */
export function readCursor(cursor: string, ids: RegExp): [time: string, id: string] {
  const [time = '', id = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  if (Number.isNaN(Date.parse(time)) || !ids.test(id)) throw new RequestRefused(400, 'request.invalid-cursor', 'This cursor was not made here: begin without one');
  return [time, id];
}
