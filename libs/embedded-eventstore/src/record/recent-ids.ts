export interface Place {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
}

const GENERATION = 65_536;

/**
 * Where events appended lately lie, by their ids: how a retry is recognised that expects any revision. Bounded, as on the original
 * server: between one and two generations are remembered, and a restart forgets all.
 */
export class RecentIds {
  private newer = new Map<string, Place>();
  private older = new Map<string, Place>();

  get(stream: string, id: string): Place | undefined {
    const place = this.newer.get(id) ?? this.older.get(id);
    return place?.stream === stream ? place : undefined;
  }

  add(id: string, place: Place): void {
    this.newer.set(id, place);
    if (this.newer.size < GENERATION) return;
    this.older = this.newer;
    this.newer = new Map();
  }

  /** Forgets what has not become durable: everything from `position` on. */
  forgetFrom(position: number): void {
    for (const generation of [this.newer, this.older]) {
      for (const [id, place] of generation) if (place.position >= position) generation.delete(id);
    }
  }
}
