/**
 * An event as the auditor reads it. Its data is read by this service's own understanding of docs/events.md and never by the code that wrote
 * it: a mistake shared with the writer would stay unseen.
 */
export interface StreamEvent {
  readonly id: string;
  readonly type: string;
  readonly revision: number;
  readonly at: string;
  readonly by?: { readonly organisation: string; readonly holder: string };
  /** Of a platform's answer: `asymmetric`, `shared`, `unsigned` or `refused`. */
  readonly proof?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export function text(event: StreamEvent, field: string): string {
  const value = event.data[field];
  return typeof value === 'string' ? value : '';
}

export function time(event: StreamEvent): number {
  return Date.parse(event.at);
}
