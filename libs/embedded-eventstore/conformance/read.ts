import { beforeAll, describe, expect, it } from '@jest/globals';
import { BACKWARDS, END, FORWARDS, START, ErrorType, binaryEvent, jsonEvent, type ResolvedEvent } from '@eventstore/db-client';
import { collect, typesOf, type ServerUnderTest } from './server-under-test.js';

export function readConformance(server: () => ServerUnderTest): void {
  describe('reading a stream', () => {
    let stream: string;
    const types = Array.from({ length: 10 }, (_, index) => `T${index}`);
    beforeAll(async () => {
      stream = server().newStream();
      await server().append(stream, types);
    });
    const read = (options: Parameters<ServerUnderTest['client']['readStream']>[1]) => collect(server().client.readStream(stream, options)).then(typesOf);

    it.each([
      ['forwards from the start', { direction: FORWARDS, fromRevision: START }, types],
      ['forwards from a revision, that included', { direction: FORWARDS, fromRevision: 7n }, ['T7', 'T8', 'T9']],
      ['forwards from a revision, so many', { direction: FORWARDS, fromRevision: 2n, maxCount: 2 }, ['T2', 'T3']],
      ['forwards from behind the end', { direction: FORWARDS, fromRevision: 50n }, []],
      ['backwards from the end', { direction: BACKWARDS, fromRevision: END, maxCount: 2 }, ['T9', 'T8']],
      ['backwards from a revision, that included', { direction: BACKWARDS, fromRevision: 2n }, ['T2', 'T1', 'T0']],
      ['backwards from the start', { direction: BACKWARDS, fromRevision: START }, ['T0']],
      ['backwards from behind the end', { direction: BACKWARDS, fromRevision: 50n, maxCount: 1 }, ['T9']],
    ] as const)('%s', async (_, options, expected) => {
      expect(await read(options)).toEqual(expected);
    });

    it('that does not exist says so', async () => {
      const missing = server().newStream();
      await expect(collect(server().client.readStream(missing))).rejects.toMatchObject({ type: ErrorType.STREAM_NOT_FOUND, streamName: missing });
    });

    it('longer than a page brings every event once and in order', async () => {
      const long = server().newStream();
      for (let part = 0; part < 5; part += 1) await server().append(long, Array.from({ length: 200 }, (_, index) => `L${part * 200 + index}`));
      const expected = Array.from({ length: 1000 }, (_, index) => `L${index}`);
      expect(typesOf(await collect(server().client.readStream(long)))).toEqual(expected);
      expect(typesOf(await collect(server().client.readStream(long, { direction: BACKWARDS, fromRevision: END })))).toEqual(expected.reverse());
    });

    it('with links resolved follows them, and hands out a link that leads nowhere as it is', async () => {
      const links = server().newStream();
      await server().client.appendToStream(links, [jsonEvent({ type: 'Plain', data: {} })]);
      const link = (target: string) => binaryEvent({ type: '$>', data: Buffer.from(target) });
      await server().client.appendToStream(links, [link(`3@${stream}`), link(`99@${stream}`)]);
      const resolved = await collect(server().client.readStream(links, { resolveLinkTos: true }));
      expect(resolved.map(({ event, link: followed }) => [event?.type, followed?.type])).toEqual([['Plain', undefined], ['T3', '$>'], [undefined, '$>']]);
      expect(resolved[1]!.event!.streamId).toBe(stream);
      expect(typesOf(await collect(server().client.readStream(links)))).toEqual(['Plain', '$>', '$>']);
    });
  });

  describe('reading everything', () => {
    const category = `all${crypto.randomUUID().slice(0, 8)}`;
    let mine: ResolvedEvent[];
    beforeAll(async () => {
      const streams = [server().newStream(category), server().newStream(category)];
      for (let round = 0; round < 6; round += 1) await server().append(streams[round % 2]!, [`Odd${round}`, `Even${round}`]);
      await server().client.setStreamMetadata(streams[0]!, { owner: 'somebody' });
      const chosen = await server().readFiltered({ by: 'stream', prefixes: [`${category}-`] });
      const all = await collect(server().client.readAll());
      mine = chosen.map(({ id }) => all.find(({ event }) => event!.id === id)!);
    });

    it('begins with an event of the system', async () => {
      const [first] = await collect(server().client.readAll({ maxCount: 1 }));
      expect(first!.event!.type).toMatch(/^\$/);
      expect(first!.event!.streamId).toMatch(/^\$/);
    });

    it('chooses by the beginning of the stream, in the order of appending', () => {
      expect(typesOf(mine)).toEqual([0, 1, 2, 3, 4, 5].flatMap((round) => [`Odd${round}`, `Even${round}`]));
    });

    it('gives every event a position of its own that only rises', () => {
      const positions = mine.map(({ event }) => event!.position!);
      for (const [index, position] of positions.entries()) {
        expect(position.prepare <= position.commit).toBe(true);
        if (index > 0) expect(position.commit > positions[index - 1]!.commit).toBe(true);
      }
      const created = mine.map(({ event }) => event!.created.getTime());
      expect([...created].sort((a, b) => a - b)).toEqual(created);
    });

    it('forwards includes the event at the position, backwards does not', async () => {
      const { position } = mine[5]!.event!;
      const forwards = await collect(server().client.readAll({ fromPosition: position!, maxCount: 2 }));
      expect(forwards[0]!.event!.id).toBe(mine[5]!.event!.id);
      const backwards = await collect(server().client.readAll({ fromPosition: position!, direction: BACKWARDS, maxCount: 2 }));
      expect(backwards.map(({ event }) => event!.id)).toEqual([mine[4]!.event!.id, mine[3]!.event!.id]);
    });

    it('forwards from the end and backwards from the start finds nothing', async () => {
      expect(await collect(server().client.readAll({ fromPosition: END }))).toEqual([]);
      expect(await collect(server().client.readAll({ fromPosition: START, direction: BACKWARDS }))).toEqual([]);
    });

    it.each([
      ['a beginning of the type', { by: 'type', prefixes: ['Odd0', 'Even5'] }, ['Odd0', 'Even5']],
      ['an expression for the type', { by: 'type', regex: '^(Odd|Even)[34]$' }, ['Odd3', 'Even3', 'Odd4', 'Even4']],
      ['an expression for the stream', { by: 'stream', regex: `^${category}-` }, [0, 1, 2, 3, 4, 5].flatMap((round) => [`Odd${round}`, `Even${round}`])],
    ] as const)('chooses by %s', async (_, filter, expected) => {
      const read = await server().readFiltered({ ...filter, from: mine[0]!.event!.position!.commit });
      expect(read.filter(({ stream }) => stream.startsWith(category)).map(({ type }) => type)).toEqual(expected);
    });

    it('without the system finds no type that begins with a dollar', async () => {
      const from = mine[0]!.event!.position!;
      const read = await server().readFiltered({ by: 'type', regex: '^[^$].*', from: from.commit });
      expect(read.filter(({ type }) => type.startsWith('$'))).toEqual([]);
      expect(typesOf(await collect(server().client.readAll({ fromPosition: from })))).toContain('$metadata');
    });

    it('stops at the count, also through a filter', async () => {
      const filter = { by: 'stream', prefixes: [`${category}-`], count: 3 } as const;
      expect((await server().readFiltered(filter)).map(({ type }) => type)).toEqual(['Odd0', 'Even0', 'Odd1']);
      expect((await server().readFiltered({ ...filter, backwards: true })).map(({ type }) => type)).toEqual(['Even5', 'Odd5', 'Even4']);
    });
  });
}
