-- Rebuilt from the record. A row that says `confirmed` has its subject's key, or name, deleted again at every start.
CREATE TABLE erasure (
  id text PRIMARY KEY,
  -- A reporter's `subject_key.subject_id`, or an officer's `officer.holder`.
  subject text NOT NULL,
  state text NOT NULL,
  requested_at timestamptz NOT NULL,
  erasure jsonb NOT NULL
);
CREATE INDEX erasure_by_time ON erasure (requested_at DESC, id DESC);
CREATE INDEX erasure_confirmed ON erasure (subject) WHERE state = 'confirmed';
