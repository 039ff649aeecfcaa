import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';

/** A broker that has just created a topic, or lost a leader, answers with refusals for a moment that the client does not wait out. */
const PATIENCE_MS = 10_000;

export interface PartitionEnds {
  readonly partition: number;
  /** First offset that is kept. */
  readonly low: number;
  /** Offset that the next message will have. */
  readonly high: number;
}

/** By partition, ascending. */
export async function topicEnds(admin: Admin, topic: string): Promise<PartitionEnds[]> {
  for (const deadline = performance.now() + PATIENCE_MS; ; await delay(100)) {
    try {
      const ends = await admin.fetchTopicOffsets(topic);
      return ends.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) })).sort((a, b) => a.partition - b.partition);
    } catch (error) {
      const { type, retriable } = error as { type?: string; retriable?: boolean };
      const forNow = retriable === true || type === 'UNKNOWN_TOPIC_OR_PARTITION' || type === 'NOT_LEADER_FOR_PARTITION' || type === 'LEADER_NOT_AVAILABLE';
      if (!forNow || performance.now() > deadline) throw error;
    }
  }
}
