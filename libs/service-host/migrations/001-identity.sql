-- Events of organisations as the bus brought them, so that every instance can fold the same directory of keys.
CREATE TABLE identity_event (
  seq bigserial PRIMARY KEY,
  stream text NOT NULL,
  revision bigint NOT NULL,
  type text NOT NULL,
  data jsonb NOT NULL,
  UNIQUE (stream, revision)
);

CREATE TABLE identity_heartbeat (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  sent_at timestamptz NOT NULL
);
