import { afterEach, describe, expect, it } from '@jest/globals';
import { END, START, streamNameFilter, type AllStreamSubscription, type Position, type ResolvedEvent, type StreamSubscription } from '@eventstore/db-client';
import { eventually, typesOf, type ServerUnderTest } from './server-under-test.js';

export function subscribeConformance(server: () => ServerUnderTest): void {
  const open: (StreamSubscription | AllStreamSubscription)[] = [];
  afterEach(async () => {
    for (const subscription of open.splice(0)) await subscription.unsubscribe();
  });

  /** What a subscription has brought so far, in order. */
  function record(subscription: StreamSubscription | AllStreamSubscription): { events: ResolvedEvent[]; signs: string[]; confirmed: Promise<void> } {
    open.push(subscription);
    const seen = { events: [] as ResolvedEvent[], signs: [] as string[], confirmed: new Promise<void>((resolve) => subscription.once('confirmation', () => resolve())) };
    subscription.on('confirmation', () => seen.signs.push('confirmed'));
    subscription.on('caughtUp', () => seen.signs.push('caught up'));
    subscription.on('data', (event: ResolvedEvent) => {
      seen.events.push(event);
      seen.signs.push(event.event!.type);
    });
    subscription.on('error', () => seen.signs.push('error'));
    return seen;
  }

  describe('subscribing to a stream', () => {
    it('confirms, brings what is there, says that it has caught up, and goes on live', async () => {
      const stream = server().newStream();
      await server().append(stream, ['A', 'B']);
      const seen = record(server().client.subscribeToStream(stream));
      await eventually(() => expect(seen.signs).toEqual(['confirmed', 'A', 'B', 'caught up']));
      await server().append(stream, ['C']);
      await eventually(() => expect(seen.signs.slice(4)).toEqual(['C']));
    });

    it('from a revision brings what is behind it', async () => {
      const stream = server().newStream();
      await server().append(stream, ['A', 'B', 'C']);
      const seen = record(server().client.subscribeToStream(stream, { fromRevision: 1n }));
      await eventually(() => expect(typesOf(seen.events)).toEqual(['C']));
    });

    it('from the end brings only what comes', async () => {
      const stream = server().newStream();
      await server().append(stream, ['A']);
      const seen = record(server().client.subscribeToStream(stream, { fromRevision: END }));
      await seen.confirmed;
      await server().append(stream, ['B']);
      await eventually(() => expect(typesOf(seen.events)).toEqual(['B']));
    });

    it('that does not exist waits for it', async () => {
      const stream = server().newStream();
      const seen = record(server().client.subscribeToStream(stream));
      await seen.confirmed;
      await server().append(stream, ['A']);
      await eventually(() => expect(typesOf(seen.events)).toEqual(['A']));
    });
  });

  describe('subscribing to everything', () => {
    it('from a position brings what is behind it, each event once, over the change to live', async () => {
      const stream = server().newStream('handover');
      const { commit } = await server().append(stream, ['Before']);
      const filter = streamNameFilter({ prefixes: [stream] });
      const seen = record(server().client.subscribeToAll({ fromPosition: { commit, prepare: commit }, filter }));
      const expected: string[] = [];
      for (let round = 0; round < 50; round += 1) {
        const types = [`R${round}a`, `R${round}b`];
        expected.push(...types);
        await server().append(stream, types);
      }
      await eventually(() => expect(typesOf(seen.events)).toEqual(expected));
    });

    it('from the end brings only what comes, without a filter too', async () => {
      const seen = record(server().client.subscribeToAll({ fromPosition: END }));
      await seen.confirmed;
      const stream = server().newStream();
      await server().append(stream, ['Live']);
      await eventually(() => expect(seen.events.map(({ event }) => event!.streamId)).toContain(stream));
    });

    it('from the start has everything that a read has, in the same order', async () => {
      const stream = server().newStream();
      const { commit } = await server().append(stream, ['Last']);
      const read: string[] = [];
      for await (const { event } of server().client.readAll()) read.push(event!.id);
      const seen = record(server().client.subscribeToAll({ fromPosition: START }));
      await eventually(() => expect(seen.events.some(({ event }) => event!.position!.commit >= commit)).toBe(true));
      expect(seen.events.slice(0, read.length).map(({ event }) => event!.id)).toEqual(read);
    });

    it('with a filter tells in between how far it has looked, and never further than what it has sent', async () => {
      const stream = server().newStream('checkpoints');
      const start = await server().append(stream, ['Mine']);
      const checkpoints: Position[] = [];
      const filter = streamNameFilter({
        prefixes: [stream],
        maxSearchWindow: 10,
        checkpointInterval: 1,
        checkpointReached: (_subscription, position) => void checkpoints.push(position),
      });
      const seen = record(server().client.subscribeToAll({ fromPosition: { commit: start.commit, prepare: start.commit }, filter }));
      await seen.confirmed;
      const noise = server().newStream('noise');
      let last = 0n;
      for (let round = 0; round < 5; round += 1) ({ commit: last } = await server().append(noise, Array.from({ length: 10 }, () => 'Noise')));
      await eventually(() => expect(checkpoints.length).toBeGreaterThanOrEqual(3));
      for (const [index, { commit }] of checkpoints.entries()) {
        expect(commit <= last).toBe(true);
        if (index > 0) expect(commit > checkpoints[index - 1]!.commit).toBe(true);
      }
      // Going on from the last checkpoint misses nothing that comes after it.
      const further = record(server().client.subscribeToAll({ fromPosition: checkpoints.at(-1)!, filter: streamNameFilter({ prefixes: [stream] }) }));
      await server().append(stream, ['Next']);
      await eventually(() => expect(typesOf(further.events)).toEqual(['Next']));
      expect(typesOf(seen.events)).toEqual(['Next']);
    });
  });
}
