import { openCheckpoint, parseVkey } from '@sejam/transparency-log';
import { BundleUnreadable } from './bundle.js';
import { BundleWriter, existingOrigin, type BundleFrame } from './write-bundle.js';

const PAGE_EVENTS = 10_000;
const NEWLINE = 10;

export interface ExportOptions {
  readonly url: string;
  /** An auditor's key. */
  readonly key: string;
  readonly out: string;
  readonly now: Date;
  onProgress?(share: number, events: number): void;
}

/** Fetches everything a verifier needs. Throws BundleUnreadable when the answers are not those of an audit service. */
export async function exportBundle({ url, key, out, now, onProgress }: ExportOptions): Promise<{ origin: string; size: number; fetched: number }> {
  const get = async (path: string) => {
    let response: Response;
    try {
      response = await fetch(new URL(path, url), { headers: { authorization: `Bearer ${key}` }, redirect: 'error' });
    } catch (error) {
      throw new BundleUnreadable(`${url} cannot be reached: ${((error as Error).cause as Error | undefined)?.message ?? (error as Error).message}`);
    }
    if (!response.ok) throw new BundleUnreadable(`GET ${path} was answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
    return response;
  };

  const keys = (await (await get('/v1/audit/keys')).json()) as BundleFrame['keys'];
  const log = keys.log.map(parseVkey);
  const take = async (path: string) => {
    const note = await (await get(path)).text();
    return { checkpoint: note, ...openCheckpoint(note, { log }) };
  };
  // One that witnesses have cosigned proves more than the very newest.
  const cosigned = await take('/v1/audit/checkpoint?cosigned=true');
  const present = existingOrigin(out);
  if (present !== undefined && present !== cosigned.origin) throw new BundleUnreadable(`${out} holds a bundle of ${present}; ${url} is ${cosigned.origin}`);

  const writer = new BundleWriter(out);
  const before = writer.next;
  const { origin, size, checkpoint } = before > cosigned.size ? await take('/v1/audit/checkpoint') : cosigned;
  if (before > size) throw new BundleUnreadable(`${out} holds ${before} events, ${url} has only ${size}: keep that folder, it proves more than the server does`);
  while (writer.next < size) {
    const response = await get(`/v1/audit/events?from=${writer.next}&limit=${Math.min(PAGE_EVENTS, size - writer.next)}`);
    const lines = Buffer.from(await response.arrayBuffer());
    const count = countNewlines(lines);
    if (count === 0 || lines[lines.length - 1] !== NEWLINE) throw new BundleUnreadable(`${url} gave no events from ${writer.next} on, although its checkpoint covers ${size}`);
    writer.append(lines, count);
    onProgress?.(writer.next / size, writer.next);
  }
  const earlier = (await (await get('/v1/audit/checkpoints')).json()) as { items: string[] };
  writer.finish({
    manifest: { origin, size, exportedAt: now.toISOString(), baseUrl: url },
    checkpoint,
    // The log has gone on meanwhile: what was signed since covers events that are not here.
    earlier: earlier.items.filter((note) => openCheckpoint(note, { log }).size < size),
    keys,
  });
  return { origin, size, fetched: writer.next - before };
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
