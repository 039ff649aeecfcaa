import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EventRecord } from './event-record.js';
import { CorruptRecord, FolderInUse } from './faults.js';
import type { ProposedEvent } from './stored-event.js';
import { checkRecord } from '../check-record.js';
import { backUpRecord } from '../back-up-record.js';

const event = (data: string): ProposedEvent => ({ id: randomUUID(), type: 'Happened', isJson: true, metadata: Buffer.alloc(0), data: Buffer.from(JSON.stringify(data)) });

let folder: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'record-'));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (segmentBytes = 1_000_000) => EventRecord.open({ folder, segmentBytes, log: (message) => said.push(message) });
const append = (record: EventRecord, stream: string, ...events: ProposedEvent[]) =>
  new Promise<number>((resolve, reject) => record.append(stream, 'any', events, (outcome) => (outcome.kind === 'appended' ? resolve(outcome.revision) : reject(new Error(outcome.kind))), reject));
const texts = async (record: EventRecord) => {
  const found: string[] = [];
  await record.log.check(record.log.start, record.log.end, (events) => void found.push(...events.map((stored) => JSON.parse(stored.dataText) as string)));
  return found;
};
const files = () => readdirSync(join(folder, 'record')).filter((name) => name.endsWith('.events')).sort().map((name) => join(folder, 'record', name));

/** A record of these texts, one append each, closed in good order. */
async function recordOf(...data: string[]): Promise<void> {
  const record = await open();
  for (const text of data) await append(record, 'case-1', event(text));
  await record.close();
}

describe('a record that was killed in the middle of a write', () => {
  it('loses what was torn, wherever it was torn, and nothing before it', async () => {
    await recordOf('one', 'two');
    const acknowledged = readFileSync(join(folder, 'record', 'acknowledged'));
    const whole = readFileSync(files()[0]!);
    const record = await open();
    await append(record, 'case-1', event('three'), event('four'));
    await record.close();
    const longer = readFileSync(files()[0]!);
    for (let length = whole.length + 1; length < longer.length; length += 23) {
      writeFileSync(files()[0]!, longer.subarray(0, length));
      writeFileSync(join(folder, 'record', 'acknowledged'), acknowledged);
      rmSync(join(folder, 'index'), { recursive: true });
      const again = await open();
      expect(await texts(again)).toEqual(['one', 'two']);
      expect(again.head('case-1')).toBe(1);
      await again.close();
      expect(said.pop()).toContain('torn');
    }
  });

  it('keeps what was written whole but not yet acknowledged', async () => {
    await recordOf('one');
    const acknowledged = readFileSync(join(folder, 'record', 'acknowledged'));
    await recordOf('two');
    writeFileSync(join(folder, 'record', 'acknowledged'), acknowledged);
    const record = await open();
    expect(await texts(record)).toEqual(['one', 'two']);
    await record.close();
  });

  it('cuts off bytes that are no event', async () => {
    await recordOf('one');
    appendFileSync(files()[0]!, Buffer.alloc(500));
    const record = await open();
    expect(await texts(record)).toEqual(['one']);
    expect(await append(record, 'case-1', event('two'))).toBe(1);
    await record.close();
    expect(await checkRecord(folder)).toMatchObject({ events: 2, streams: 1, indexChecked: true });
  });
});

describe('a damaged record', () => {
  const damaged = async () => {
    await expect(open()).rejects.toThrow(CorruptRecord);
    await expect(checkRecord(folder)).rejects.toThrow(CorruptRecord);
  };

  it('is refused wherever a byte of an acknowledged event has changed', async () => {
    await recordOf('one', 'two', 'three');
    const whole = readFileSync(files()[0]!);
    for (let at = 0; at < whole.length; at += 29) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 0x10;
      writeFileSync(files()[0]!, bytes);
      await damaged();
      expect(readFileSync(files()[0]!)).toEqual(bytes);
    }
  });

  it('is refused when acknowledged events are missing at the end', async () => {
    await recordOf('one', 'two');
    truncateSync(files()[0]!, readFileSync(files()[0]!).length - 1);
    await damaged();
  });

  it('is refused when a file is missing or of another record', async () => {
    const record = await open(400);
    for (let index = 0; index < 6; index += 1) await append(record, 'case-1', event(`number ${index}`));
    await record.close();
    expect(files().length).toBeGreaterThan(2);
    const middle = files()[1]!;
    const kept = join(folder, 'kept');
    copyFileSync(middle, kept);
    unlinkSync(middle);
    await damaged();
    const bytes = readFileSync(kept);
    bytes[30]! ^= 1;
    writeFileSync(middle, bytes);
    await damaged();
    copyFileSync(kept, middle);
    expect(await checkRecord(folder)).toMatchObject({ events: 6 });
  });

  it('is refused when all of it is gone', async () => {
    await recordOf('one');
    unlinkSync(files()[0]!);
    await damaged();
  });
});

describe('a record of several files', () => {
  it('is read in both directions, from any place, the same before and after a restart', async () => {
    let record = await open(700);
    const expected: string[] = [];
    for (let index = 0; index < 40; index += 1) {
      expected.push(`text ${index} ${'x'.repeat((index * 37) % 300)}`);
      await append(record, `case-${index % 3}`, event(expected[index]!));
    }
    for (const restart of [false, true]) {
      if (restart) {
        await record.close();
        record = await open(700);
      }
      expect(files().length).toBeGreaterThan(5);
      expect(await texts(record)).toEqual(expected);
      const backwards = await record.log.readBackwards(record.log.end, 1000);
      expect(backwards.map((stored) => JSON.parse(stored.dataText) as string)).toEqual([...expected].reverse());
      for (const [index, stored] of backwards.entries()) {
        expect(await record.log.align(stored.position)).toBe(stored.position);
        expect(await record.log.align(stored.position - 1)).toBe(stored.position);
        expect((await record.log.readBackwards(stored.position, 1))[0]?.position).toBe(backwards[index + 1]?.position);
        expect(await record.log.behind(stored.position)).toBe(await record.log.align(stored.end));
        expect(await record.log.behind(stored.position - 1)).toBe(stored.position);
        expect((await record.log.readAt(stored.position)).revision).toBe(stored.revision);
      }
      expect(await record.log.align(record.log.end + 1000)).toBe(record.log.end);
    }
    await record.close();
  });

  it('begins a file anew that a crash has left without its head', async () => {
    const record = await open(200);
    await append(record, 'case-1', event('x'.repeat(200)));
    const end = record.log.end;
    await record.close();
    writeFileSync(join(folder, 'record', `${String(end).padStart(20, '0')}.events`), Buffer.alloc(10));
    const again = await open(200);
    expect(await append(again, 'case-1', event('two'))).toBe(1);
    await again.close();
    expect(await checkRecord(folder)).toMatchObject({ events: 2 });
  });
});

describe('the index', () => {
  it('is made anew from the record when it is gone or damaged, and the log says so', async () => {
    await recordOf('one', 'two');
    const path = join(folder, 'index', 'streams.mdb');
    const whole = readFileSync(path);
    const damages: [string, () => void][] = [
      ['cut off', () => truncateSync(path, 5000)],
      ['overwritten', () => writeFileSync(path, Buffer.concat([Buffer.alloc(64, 7), whole.subarray(64)]))],
      ['no database', () => writeFileSync(path, 'nothing of the kind')],
    ];
    for (const [, damage] of damages) {
      damage();
      const record = await open();
      expect(record.head('case-1')).toBe(1);
      expect((await record.readRevisions('case-1', 0, 1)).map((stored) => JSON.parse(stored.dataText) as string)).toEqual(['one', 'two']);
      await record.close();
      expect(said.pop()).toContain('index was damaged');
    }
    rmSync(join(folder, 'index'), { recursive: true });
    const record = await open();
    expect(record.head('case-1')).toBe(1);
    await record.close();
  });

  it('that is ahead of the record shows that events were lost', async () => {
    await recordOf('one');
    const [file] = files();
    const shorter = readFileSync(file!);
    const acknowledged = readFileSync(join(folder, 'record', 'acknowledged'));
    await recordOf('two');
    writeFileSync(file!, shorter);
    writeFileSync(join(folder, 'record', 'acknowledged'), acknowledged);
    await expect(open()).rejects.toThrow('index reaches');
  });
});

describe('a backup', () => {
  it('of a running record is a record with everything acknowledged, and never overwrites', async () => {
    const record = await open(400);
    for (const text of ['one', 'two', 'three', 'four']) await append(record, 'case-1', event(text));
    const target = join(folder, 'copy');
    expect(await backUpRecord(folder, target)).toMatchObject({ events: 4, streams: 1 });
    await append(record, 'case-1', event('five'));
    await expect(backUpRecord(folder, target)).rejects.toThrow('not empty');
    const copy = await EventRecord.open({ folder: target, segmentBytes: 400, log: () => undefined });
    expect(await texts(copy)).toEqual(['one', 'two', 'three', 'four']);
    expect(await append(copy, 'case-1', event('another five'))).toBe(4);
    await copy.close();
    await record.close();
  });
});

describe('the owner of a folder', () => {
  it('is one; the next comes in when it has left, or has died and left its mark behind', async () => {
    const record = await open();
    await expect(open()).rejects.toThrow(FolderInUse);
    await record.close();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'owner'), JSON.stringify({ pid: 2 ** 22 + 1, host: 'elsewhere', startedAt: '1' }));
    const next = await open();
    await next.close();
  });

  if (process.platform === 'linux') {
    it('needs no room for the note of whose it is', async () => {
      mkdirSync(join(folder, `owner.${process.pid}`));
      const record = await open();
      await expect(open()).rejects.toThrow(FolderInUse);
      await record.close();
    });
  }
});
