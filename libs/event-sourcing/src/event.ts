/** Who did it. Machines act as `{organisation: 'sejam', holder: 'system:<service>'}` and have no key. */
export interface Actor {
  readonly organisation: string;
  /** An officer's or a system's holder id; the name behind it lies outside the record. */
  readonly holder: string;
  readonly keyId?: string;
}

/** What single events carry in their metadata beside the fields that all have. docs/events.md lists them. Permanent like everything stored. */
export interface FurtherMetadata {
  /** The exact body sent to a platform because of this event; never published on the bus. */
  readonly message?: { readonly type: string; readonly body: string };
  /** Of an inbound answer by webhook: whether its signature is by a secret that we know too, or by a key that the platform alone has. */
  readonly proof?: 'shared' | 'asymmetric';
  /** What proves an inbound answer: the exact body and the signature over it; never published on the bus. */
  readonly signed?: {
    readonly webhookId: string;
    readonly timestamp: string;
    readonly signature: string;
    readonly keyId: string;
    readonly body: string;
  };
  readonly [further: string]: unknown;
}

/** What every stored event carries beside its data. Permanent: fields are added, never renamed or removed. */
export interface EventMetadata extends FurtherMetadata {
  /** Domain time of the decision, RFC 3339 UTC with milliseconds. Never falls along a stream. */
  readonly at: string;
  readonly by: Actor;
  /** The whole of idempotency on the write side: a stream that holds the cause already has decided on it. */
  readonly causationId: string;
  readonly correlationId: string;
  readonly traceparent?: string;
}

export interface DomainEvent {
  readonly type: string;
  readonly data: object;
}

/** An event that is decided but not yet stored. */
export type NewEvent<Event extends DomainEvent = DomainEvent> = Event & {
  /** uuid v7, made once for a decision and kept over append retries. */
  readonly id: string;
  readonly metadata: EventMetadata;
};

/** What an event knows of itself once its stream holds it. */
export type RecordedEvent<Event extends DomainEvent = DomainEvent> = NewEvent<Event> & {
  /** The whole stream name, such as `takedown-0b9e…`. */
  readonly stream: string;
  /** 0 for the first event of a stream; contiguous. */
  readonly revision: number;
};

/** A place in the record. Both numbers are kept: a resumed subscription needs both. Decimal strings, since they are uint64. */
export interface Position {
  readonly commit: string;
  readonly prepare: string;
}

export type StoredEvent<Event extends DomainEvent = DomainEvent> = RecordedEvent<Event> & {
  /** The store's own time, a cross-check only, never recorded time. */
  readonly created: string;
  /** Where it stands in the whole record. */
  readonly position: Position;
};
