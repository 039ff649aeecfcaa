-- Rebuilt from the record. `state` is the report as its events fold, without the reporter.
CREATE TABLE report (
  id uuid PRIMARY KEY,
  revision bigint NOT NULL,
  reference text NOT NULL,
  reported_by text NOT NULL,
  status text NOT NULL,
  category text NOT NULL,
  region text NOT NULL,
  platforms text[] NOT NULL,
  submitted_at timestamptz NOT NULL,
  state jsonb NOT NULL
);
CREATE INDEX report_by_time ON report (submitted_at DESC, id DESC);
CREATE INDEX report_by_reference ON report (reported_by, reference);
CREATE INDEX report_pending ON report (submitted_at) WHERE status = 'submitted';

-- Rebuilt from the record: which request an Idempotency-Key was first used for, on whatever stream.
CREATE TABLE idempotency_key (
  cause text PRIMARY KEY,
  request_sha256 text NOT NULL
);
