import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ANY, ErrorType, NO_STREAM, STREAM_EXISTS, WrongExpectedVersionError, binaryEvent, jsonEvent, type AppendExpectedRevision } from '@eventstore/db-client';
import { collect, typesOf, type ServerUnderTest } from './server-under-test.js';

/** With credentials of its own a call goes by Append, otherwise by BatchAppend. */
const WAYS = [
  ['BatchAppend', {}],
  ['Append', { credentials: { username: 'admin', password: 'changeit' } }],
] as const;

export function appendConformance(server: () => ServerUnderTest): void {
  describe.each(WAYS)('appending by %s', (_, way) => {
    const append = (stream: string, events: Parameters<ServerUnderTest['client']['appendToStream']>[1], expectedRevision: AppendExpectedRevision = ANY) =>
      server().client.appendToStream(stream, events, { expectedRevision, ...way });
    const happened = (type = 'Happened') => jsonEvent({ type, data: { type } });

    it('answers the revision and the position of the last event', async () => {
      const stream = server().newStream();
      const result = await append(stream, [happened(), happened(), happened()], NO_STREAM);
      expect(result.success).toBe(true);
      expect(result.nextExpectedRevision).toBe(2n);
      const last = (await collect(server().client.readStream(stream))).at(-1)!;
      expect(result.position!.commit).toBe(last.event!.position!.commit);
    });

    it.each([
      ['no stream', NO_STREAM, -1, true],
      ['no stream', NO_STREAM, 0, false],
      ['an existing stream', STREAM_EXISTS, -1, false],
      ['an existing stream', STREAM_EXISTS, 0, true],
      ['any revision', ANY, -1, true],
      ['any revision', ANY, 1, true],
      ['the revision it is at', 1n, 1, true],
      ['a revision before', 0n, 1, false],
      ['a revision ahead', 5n, 1, false],
      ['a revision ahead', 0n, -1, false],
    ] as const)('that expects %s (%s) of a stream at %i succeeds: %s', async (_name, expected, head, succeeds) => {
      const stream = server().newStream();
      if (head >= 0) await append(stream, Array.from({ length: head + 1 }, () => happened()), NO_STREAM);
      const appending = append(stream, happened('Next'), expected);
      if (succeeds) expect((await appending).nextExpectedRevision).toBe(BigInt(head + 1));
      else {
        await expect(appending).rejects.toMatchObject({
          type: ErrorType.WRONG_EXPECTED_VERSION,
          streamName: stream,
          expectedVersion: expected,
          actualVersion: head < 0 ? 'no_stream' : BigInt(head),
        });
      }
    });

    it.each([NO_STREAM, 0n] as const)('repeated with the same ids and the exact revision (%s) is the same append', async (expected) => {
      const stream = server().newStream();
      if (expected === 0n) await append(stream, happened('First'), NO_STREAM);
      const events = [happened('A'), happened('B')];
      const first = await append(stream, events, expected);
      await append(stream, happened('After'), first.nextExpectedRevision);
      const again = await append(stream, events, expected);
      expect(again.nextExpectedRevision).toBe(first.nextExpectedRevision);
      expect(again.position!.commit).toBe(first.position!.commit);
      expect(typesOf(await collect(server().client.readStream(stream))).filter((type) => type === 'A')).toHaveLength(1);
    });

    it('repeated lately with the same ids and any revision is the same append', async () => {
      const stream = server().newStream();
      const event = happened();
      const first = await append(stream, event);
      expect((await append(stream, event)).nextExpectedRevision).toBe(first.nextExpectedRevision);
      expect(await collect(server().client.readStream(stream))).toHaveLength(1);
    });

    it('repeated with more events than before is a conflict', async () => {
      const stream = server().newStream();
      const event = happened();
      await append(stream, event, NO_STREAM);
      await expect(append(stream, [event, happened()], NO_STREAM)).rejects.toThrow(WrongExpectedVersionError);
    });

    it('takes the same id in two streams for two events', async () => {
      const event = happened();
      const [one, two] = [server().newStream(), server().newStream()];
      await append(one, event);
      await append(two, event);
      expect(await collect(server().client.readStream(two))).toHaveLength(1);
    });

    it('keeps data, metadata, ids and types of JSON and of bytes', async () => {
      const stream = server().newStream();
      const id = randomUUID();
      await append(stream, [
        jsonEvent({ id, type: 'Größe 📐', data: { text: 'ä', nested: [1, { a: null }] }, metadata: { by: 'ö' } }),
        binaryEvent({ type: 'bytes', data: Buffer.from([0, 255, 1]), metadata: Buffer.from([7]) }),
        jsonEvent({ type: 'bare', data: {} }),
      ]);
      const [json, bytes, bare] = (await collect(server().client.readStream(stream))).map(({ event }) => event!);
      expect(json).toMatchObject({ id, type: 'Größe 📐', isJson: true, data: { text: 'ä', nested: [1, { a: null }] }, metadata: { by: 'ö' }, streamId: stream });
      expect(bytes!.isJson).toBe(false);
      expect(Buffer.from(bytes!.data as Uint8Array)).toEqual(Buffer.from([0, 255, 1]));
      expect(Buffer.from(bytes!.metadata as Uint8Array)).toEqual(Buffer.from([7]));
      expect(bare!.data).toEqual({});
    });

    it('takes what fits into the largest append and refuses more, leaving nothing', async () => {
      const stream = server().newStream();
      const big = () => binaryEvent({ type: 'big', data: Buffer.alloc(500_000) });
      await append(stream, [big(), big()]);
      await expect(append(stream, [big(), big(), big()])).rejects.toMatchObject({ type: ErrorType.MAXIMUM_APPEND_SIZE_EXCEEDED, maxAppendSize: 1_048_576 });
      expect(await collect(server().client.readStream(stream))).toHaveLength(2);
    });

    it('of many writers at once lets one alone have each revision', async () => {
      const stream = server().newStream();
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_unused, index) => append(stream, happened(`By${index}`), NO_STREAM)));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      await Promise.all(Array.from({ length: 20 }, () => append(stream, happened())));
      const revisions = (await collect(server().client.readStream(stream))).map(({ event }) => Number(event!.revision));
      expect(revisions).toEqual(Array.from({ length: 21 }, (_unused, index) => index));
    });
  });

  describe('stream metadata', () => {
    it('is an event of the stream behind two dollars', async () => {
      const stream = server().newStream();
      expect((await server().client.getStreamMetadata(stream)).metadata).toBeUndefined();
      await server().client.setStreamMetadata(stream, { owner: 'somebody' }, { expectedRevision: NO_STREAM });
      const found = await server().client.getStreamMetadata<{ owner: string }>(stream);
      expect(found.metadata).toMatchObject({ owner: 'somebody' });
      const [stored] = await collect(server().client.readStream(`$$${stream}`));
      expect(stored!.event).toMatchObject({ type: '$metadata', revision: 0n, data: { owner: 'somebody' } });
    });

    it('keeps an access list as it was given', async () => {
      const stream = server().newStream();
      await server().client.setStreamMetadata(stream, { acl: { readRoles: ['$all'], writeRoles: ['$all'] } });
      expect((await server().client.getStreamMetadata(stream)).metadata).toMatchObject({ acl: { readRoles: ['$all'], writeRoles: ['$all'] } });
    });

    it('lets a stream without events pass for an existing one', async () => {
      const stream = server().newStream();
      await server().client.setStreamMetadata(stream, { owner: 'somebody' });
      expect((await server().append(stream, ['Happened'], STREAM_EXISTS)).revision).toBe(0n);
    });
  });
}
