-- Names the life of this schema's inbox. A schema that is new, wiped or rebuilt has another one, so its consumer groups begin at the
-- first offset, as they must.
CREATE TABLE inbox_generation (
  id  uuid NOT NULL DEFAULT gen_random_uuid(),
  one boolean PRIMARY KEY DEFAULT true CHECK (one)
);
INSERT INTO inbox_generation DEFAULT VALUES;

-- Per consumer and stream: the revision handled last (-1: none) and the event that had it. Held: later messages queue in parked_message.
CREATE TABLE inbox (
  consumer text NOT NULL,
  stream   text NOT NULL,
  revision bigint NOT NULL,
  event_id text NOT NULL,
  held     boolean NOT NULL DEFAULT false,
  PRIMARY KEY (consumer, stream)
) WITH (fillfactor = 70);

-- Messages that wait. The first of a stream has the cause why it waits; the others have 'queued'. Kept: not derived from the record.
CREATE TABLE parked_message (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  consumer  text NOT NULL,
  stream    text NOT NULL,
  sequence  bigint NOT NULL, -- -1: the message does not say it
  event_id  text NOT NULL,
  topic     text NOT NULL,
  partition int NOT NULL,
  "offset"  text NOT NULL,
  key       text,
  headers   json NOT NULL, -- not jsonb: that refuses an escaped zero character, and a poisoned message may have one
  value     text,
  cause     text NOT NULL CHECK (cause IN ('not-understood', 'gap', 'history-diverged', 'queued')),
  detail    text NOT NULL,
  attempts  int NOT NULL DEFAULT 1,
  parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (consumer, stream, sequence, event_id)
);

-- What an operator has decided to do without, and why. Obeyed by every later rebuild. Kept.
CREATE TABLE skipped_message (
  consumer   text NOT NULL,
  stream     text NOT NULL,
  sequence   bigint NOT NULL,
  event_id   text NOT NULL,
  operator   text NOT NULL,
  reason     text NOT NULL,
  skipped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer, stream, sequence, event_id)
);

-- The log bus alone: the next revision of a topic's stream that a consumer group has not handled.
CREATE TABLE topic_offset (
  consumer_group text NOT NULL,
  topic          text NOT NULL,
  next           bigint NOT NULL,
  PRIMARY KEY (consumer_group, topic)
);
