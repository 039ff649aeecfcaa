import type { EventStore, StoredEvent } from '@sejam/event-sourcing';
import type { Caller } from '@sejam/service-host';

/** Who reported a content, and who the officers were, is nobody's business outside the agencies. */
const ABOUT_REPORTS = new Set(['ReportJoined', 'ReportLeft', 'TakedownMerged']);

/** Whether this caller may see the whole event, its metadata included: a receipt carries all of it. */
export async function maySee(store: EventStore, event: StoredEvent, { kind, organisation }: Pick<Caller, 'kind' | 'organisation'>): Promise<boolean> {
  switch (kind) {
    case 'agency':
    case 'auditor':
      return true;
    case 'operator':
      return false;
    case 'platform': {
      if (!event.stream.startsWith('takedown-') || ABOUT_REPORTS.has(event.type)) return false;
      const by = event.metadata.by.organisation;
      return (by === 'sejam' || by === organisation) && (await firstOf(store, event.stream))?.['platform'] === organisation;
    }
    case 'partner':
      return event.stream.startsWith('report-') && (await firstOf(store, event.stream))?.['reportedBy'] === organisation;
  }
}

async function firstOf(store: EventStore, stream: string): Promise<Record<string, unknown> | undefined> {
  for await (const { data } of store.read(stream, { limit: 1 })) return data as Record<string, unknown>;
  return undefined;
}
