import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;

export interface LevelHeartbeatsOptions {
  /** Messages of the topic that are not handled yet, per topic, for all who share its partitions. */
  lag(): Promise<Readonly<Record<string, number>>>;
  keep(sentAt: Date): Promise<void>;
  readonly onError: (error: unknown) => void;
}

/**
 * A heartbeat says that all keys were told before it. Yet it overtakes those in other partitions of the topic: so it is kept only once
 * every partition was seen read to its end after it had come.
 */
export class LevelHeartbeats {
  readonly #stopping = new AbortController();
  #heard: Date | undefined;
  #keeping: Promise<void> | undefined;

  constructor(private readonly options: LevelHeartbeatsOptions) {}

  /** Never waits: what keeps a handler busy is never level. */
  heard(sentAt: Date): void {
    this.#heard = sentAt;
    this.#keeping ??= this.#keepWhenLevel().finally(() => (this.#keeping = undefined));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#keeping;
  }

  async #keepWhenLevel(): Promise<void> {
    const { signal } = this.#stopping;
    for (let newest = this.#heard; newest !== undefined && !signal.aborted; newest = this.#heard) {
      try {
        if (Object.values(await this.options.lag()).every((waiting) => waiting === 0)) {
          await this.options.keep(newest);
          if (this.#heard === newest) this.#heard = undefined;
          continue;
        }
      } catch (error) {
        this.options.onError(error);
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }
}
