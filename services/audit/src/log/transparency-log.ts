import type { Position, StoredEvent } from '@sejam/event-sourcing';
import { comparePositions, tx, type Client, type Pool } from '@sejam/postgres';
import { eventLeafHash, Frontier, isLogged, loggedEvent, openCheckpoint, rootAt, sameHash, signCheckpoint, type CompletedNode, type Hash, type NoteSigner } from '@sejam/transparency-log';
import { LogHalted, RevisionGap } from './log-faults.js';
import { insertLeaves, insertNodes, movePlace, nodeReader, readHeads, readPlace } from './log-tables.js';
import { checkpointsBetween, keepCheckpoint, newestCheckpoint, type SignedCheckpoint } from './signed-checkpoints.js';

/**
 * The one writer of the log's tables. Any number of instances may call it at once: the row of the log is locked, what another has integrated
 * already is skipped, and the size moves together with leaves, nodes and the signed checkpoint, or not at all.
 */
export class TransparencyLog {
  #frontier: Frontier | undefined;

  constructor(private readonly pool: Pool, private readonly signer: NoteSigner) {}

  get key(): NoteSigner['verifier'] {
    return this.signer.verifier;
  }

  async place(): Promise<{ size: number; after?: Position }> {
    return readPlace(this.pool);
  }

  /**
   * Appends what is new among `events` (the record's order) and signs the tree. Resolves with the checkpoint that is then published, or
   * undefined when there was nothing new, or nothing that has not been signed before. Throws RevisionGap, and LogHalted when an earlier
   * checkpoint would be contradicted.
   */
  async integrate(events: readonly StoredEvent[], reached: Position): Promise<SignedCheckpoint | undefined> {
    try {
      const { frontier, signed } = await tx(this.pool, (client) => this.#integrate(client, events, reached));
      this.#frontier = frontier;
      return signed;
    } catch (error) {
      // Whether it was committed may be unknown; the tables know.
      this.#frontier = undefined;
      throw error;
    }
  }

  async #integrate(client: Client, events: readonly StoredEvent[], reached: Position): Promise<{ frontier: Frontier; signed?: SignedCheckpoint }> {
    const place = await readPlace(client, { lock: true });
    const frontier = this.#frontier?.size === place.size ? new Frontier(place.size, this.#frontier.hashes) : await this.#restore(client, place.size);
    const { after } = place;
    const fresh = after === undefined ? events : events.filter(({ position }) => comparePositions(position, after) > 0);
    const leaves = fresh.filter(isLogged);
    if (after !== undefined && comparePositions(reached, after) <= 0) return { frontier };
    if (leaves.length === 0) {
      await movePlace(client, { from: place.size, to: place.size, after: reached });
      return { frontier };
    }
    await refuseGaps(client, leaves);
    const earlier = await checkpointsBetween(client, place.size, place.size + leaves.length);
    const nodes: CompletedNode[] = [];
    for (const event of leaves) {
      frontier.append(eventLeafHash(loggedEvent(event)), (node) => nodes.push(node));
      if (earlier[0]?.size === frontier.size) this.#mustAgree(earlier.shift()!, frontier.root());
    }
    const newest = await newestCheckpoint(client);
    const signed = newest !== undefined && newest.size >= frontier.size ? undefined : { size: frontier.size, note: signCheckpoint({ size: frontier.size, root: frontier.root() }, this.signer) };
    if (!(await movePlace(client, { from: place.size, to: frontier.size, after: reached }))) throw new Error('The log has moved although its row was locked');
    await insertLeaves(client, place.size, leaves);
    await insertNodes(client, nodes);
    if (signed !== undefined) await keepCheckpoint(client, signed);
    return { frontier, ...(signed === undefined ? {} : { signed }) };
  }

  /** The right edge as the tables hold it; it must be the one that was signed, if that size was. */
  async #restore(client: Client, size: number): Promise<Frontier> {
    const frontier = new Frontier(size, size === 0 ? [] : await nodeReader(client)(Frontier.nodes(size)));
    for (const checkpoint of await checkpointsBetween(client, size - 1, size)) this.#mustAgree(checkpoint, frontier.root());
    return frontier;
  }

  #mustAgree({ size, note }: SignedCheckpoint, root: Hash): void {
    const checkpoint = openCheckpoint(note, { log: [this.signer.verifier] });
    if (checkpoint.size !== size || !sameHash(checkpoint.root, root)) {
      throw new LogHalted(`The record's first ${size} events are not those over which a checkpoint was signed: it was changed, or another copy was put in its place`);
    }
  }

  /** The root of any size that the log has had. */
  async rootAt(size: number): Promise<Hash> {
    return rootAt(size, nodeReader(this.pool));
  }
}

async function refuseGaps(client: Client, leaves: readonly StoredEvent[]): Promise<void> {
  const heads = await readHeads(client, [...new Set(leaves.map(({ stream }) => stream))]);
  for (const { stream, revision } of leaves) {
    const expected = (heads.get(stream) ?? -1) + 1;
    if (revision !== expected) throw new RevisionGap(stream, expected, revision);
    heads.set(stream, revision);
  }
}
