import { describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { LevelHeartbeats } from './level-heartbeats.js';

const topic = 'sejam.identity.v1';
const [first, second] = [new Date('2024-11-27T00:00:00Z'), new Date('2024-11-27T00:01:00Z')];

function follow(waiting: () => number) {
  const kept: Date[] = [];
  const errors: unknown[] = [];
  let looks = 0;
  const heartbeats = new LevelHeartbeats({
    async lag() {
      looks += 1;
      return { [topic]: waiting() };
    },
    async keep(sentAt) {
      kept.push(sentAt);
    },
    onError: (error) => errors.push(error),
  });
  return { heartbeats, kept, errors, looked: () => looks };
}

describe('a heartbeat of the identities', () => {
  it('counts once every key told before it was read, also those in other partitions', async () => {
    let waiting = Number.NaN;
    const { heartbeats, kept, looked } = follow(() => waiting);
    heartbeats.heard(first);
    await eventually(() => expect(looked()).toBeGreaterThan(1));
    waiting = 3;
    const before = looked();
    await eventually(() => expect(looked()).toBeGreaterThan(before + 1));
    expect(kept).toEqual([]);
    waiting = 0;
    await eventually(() => expect(kept).toEqual([first]));
    await heartbeats.stop();
  });

  it('gives way to a newer one that comes while it waits', async () => {
    let waiting = 1;
    const { heartbeats, kept, looked } = follow(() => waiting);
    heartbeats.heard(first);
    await eventually(() => expect(looked()).toBeGreaterThan(0));
    heartbeats.heard(second);
    waiting = 0;
    await eventually(() => expect(kept.at(-1)).toEqual(second));
    await heartbeats.stop();
    expect(kept.filter((one) => one === second)).toHaveLength(1);
  });

  it('is not lost while the servers are away, and ends with its service', async () => {
    let away = true;
    const { heartbeats, kept, errors } = follow(() => {
      if (away) throw new Error('away');
      return 0;
    });
    heartbeats.heard(first);
    await eventually(() => expect(errors).not.toEqual([]));
    away = false;
    await eventually(() => expect(kept).toEqual([first]));
    away = true;
    heartbeats.heard(second);
    await heartbeats.stop();
    expect(kept).toEqual([first]);
  });
});
