import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readSync, readdirSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkRecord, type CheckedRecord, type Progress } from './check-record.js';
import { RecordLog } from './record/record-log.js';
import { syncFolder } from './record/segment.js';
import { Watermark } from './record/watermark.js';

const COPY_BYTES = 4 * 1024 * 1024;

/**
 * Copies everything acknowledged at this moment into an empty or new folder, beside a running server or without one, makes it durable
 * and checks the copy. The copy is a data folder: start a server on it; the index is made anew then.
 */
export async function backUpRecord(dataFolder: string, target: string, copied: Progress = () => undefined, checked: Progress = () => undefined): Promise<CheckedRecord> {
  if (existsSync(target) && readdirSync(target).length > 0) throw new Error(`${target} is not empty; a backup never overwrites`);
  const log = RecordLog.openReadOnly(join(dataFolder, 'record'));
  const folder = join(target, 'record');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const file of log.files) {
      if (file.size > 0) copyStart(file.path, join(folder, basename(file.path)), file.size, (done) => copied(file.base + done, log.end));
    }
    const { watermark } = Watermark.open(join(folder, 'acknowledged'));
    watermark.set(log.end);
    watermark.close();
    syncFolder(folder);
    syncFolder(target);
  } finally {
    log.close();
  }
  return checkRecord(target, checked);
}

function copyStart(from: string, to: string, size: number, progress: (done: number) => void): void {
  const source = openSync(from, 'r');
  const copy = openSync(to, 'wx', 0o600);
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(size, COPY_BYTES));
    for (let done = 0; done < size; ) {
      const read = readSync(source, buffer, 0, Math.min(buffer.length, size - done), done);
      if (read === 0) throw new Error(`${from} became shorter while it was copied`);
      for (let written = 0; written < read; ) written += writeSync(copy, buffer, written, read - written, done + written);
      done += read;
      progress(done);
    }
    fsyncSync(copy);
  } finally {
    closeSync(source);
    closeSync(copy);
  }
}
