import { appendFile, mkdir, readFile, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';

export type Entry =
  | {
      readonly kind: 'received';
      readonly platform: string;
      readonly webhookId: string;
      readonly receivedAtMs: number;
      readonly body: string;
      readonly proof?: 'shared' | 'asymmetric';
      /** Of an order: what was decided for it, so that another script after a restart changes nothing. */
      readonly behaviour?: { readonly name: string; readonly behaviour: unknown; readonly seed: number };
    }
  | { readonly kind: 'answered'; readonly answerId: string; readonly httpStatus: number; readonly effect?: string };

/** Where the sandbox keeps what it must not forget when it is killed: a file of JSON lines. A platform of the real world has a database. */
export interface Journal {
  /** Everything written before, in order. To be called once, first. */
  read(): Promise<Entry[]>;
  /** Resolves when it is written; entries stand in the order of the calls. */
  write(entry: Entry): Promise<void>;
}

/** Without a file the journal remembers nothing. Survives the end of the process; not the loss of power, which would need a sync. */
export function openJournal(file?: string): Journal {
  if (file === undefined) return { read: async () => [], write: async () => {} };
  let last: Promise<void> = Promise.resolve();

  async function read(path: string): Promise<Entry[]> {
    await mkdir(dirname(path), { recursive: true });
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    // A line without its end was being written when the process was killed: nobody has relied on it yet.
    if (whole.length < text.length) await truncate(path, Buffer.byteLength(whole));
    return whole.split('\n').filter((line) => line !== '').map((line, index) => {
      try {
        return JSON.parse(line) as Entry;
      } catch {
        throw new Error(`The sandbox's journal ${path} is damaged in line ${index + 1}; remove the file to begin anew`);
      }
    });
  }

  return {
    read: () => read(file),
    write: (entry) => (last = last.catch(() => {}).then(() => appendFile(file, `${JSON.stringify(entry)}\n`, { mode: 0o600 }))),
  };
}
