-- Kept: the log's key cannot be made again, and its size tells how far the derived tables below have come.
CREATE TABLE log (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  origin text NOT NULL,
  vkey text NOT NULL,
  sealed_secret text NOT NULL,
  size bigint NOT NULL DEFAULT 0,
  commit_position text,
  prepare_position text
);

-- Kept: what was signed must never be contradicted, whatever becomes of the tables below.
CREATE TABLE signed_checkpoint (
  size bigint PRIMARY KEY,
  note text NOT NULL,
  signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE cosignature (
  size bigint NOT NULL REFERENCES signed_checkpoint (size),
  vkey text NOT NULL,
  line text NOT NULL,
  PRIMARY KEY (size, vkey)
);

CREATE TABLE witness (
  vkey text PRIMARY KEY,
  -- The newest checkpoint it has cosigned, as far as we know.
  size bigint NOT NULL
);

-- Derived: where each leaf's event stands. The unique index refuses a record in which a revision comes twice.
CREATE TABLE leaf (
  leaf_index bigint PRIMARY KEY,
  event_id uuid NOT NULL,
  stream text NOT NULL,
  revision bigint NOT NULL,
  commit_position text NOT NULL,
  prepare_position text NOT NULL,
  UNIQUE (stream, revision)
);
CREATE INDEX leaf_event_id ON leaf (event_id);

-- Derived: the complete subtrees; level 0 is the leaf hashes.
CREATE TABLE node (
  level smallint NOT NULL,
  node_index bigint NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (level, node_index)
);

CREATE TABLE alarm (
  kind text NOT NULL,
  subject text NOT NULL,
  detail text NOT NULL,
  raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (kind, subject)
);
