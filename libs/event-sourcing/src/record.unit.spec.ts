import { describe, expect, it } from '@jest/globals';
import { domainClock, openRecord, readRecord, record, recordStreamId, transactor } from './index.js';
import { decidedAgainIsEmpty, memoryEventStore, specFor } from './testing.js';

const wanted = { recordId: '0b9e2c1e-0d1a-7000-8000-000000000001', start: '2026-03-01T10:00:00.000Z', origin: '2024-11-27T00:00:00.000Z', speed: 60 };

describe('the record', () => {
  it('is opened once', () => {
    specFor(record).given().when((state) => openRecord(state, wanted)).then({ type: 'RecordOpened', data: wanted });
    decidedAgainIsEmpty(record, [], (state) => openRecord(state, wanted));
  });

  it('stays what it was when another start would open it', () => {
    const later = specFor(record).given({ type: 'RecordOpened', data: wanted }).when((state) => openRecord(state, { ...wanted, recordId: 'another', start: '2026-04-01T10:00:00.000Z' }));
    later.thenNothing();
    later.thenState((state) => expect(state).toEqual({ status: 'open', ...wanted }));
  });

  it('refuses another speed', () => {
    specFor(record).given({ type: 'RecordOpened', data: wanted }).when((state) => openRecord(state, { ...wanted, speed: 1 })).thenRefused('record.speed-fixed');
  });

  it('is the first event of stream sejam-record, and every process reads it from there', async () => {
    const store = memoryEventStore();
    expect(await readRecord(store)).toBeUndefined();
    const transact = transactor(store, domainClock(wanted, () => Date.parse(wanted.start)));
    const by = { organisation: 'sejam', holder: 'system:bootstrap' };
    await transact(record, recordStreamId, { causationId: 'bootstrap', correlationId: 'bootstrap', by, assumeNew: true }, (state) => openRecord(state, wanted));
    expect(await readRecord(store)).toEqual(wanted);
    expect(store.all()).toMatchObject([{ stream: 'sejam-record', revision: 0, metadata: { at: wanted.origin } }]);
  });
});
