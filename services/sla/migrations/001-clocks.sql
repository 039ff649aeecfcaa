-- Rebuilt from the record: every clock, as its stream folds.
CREATE TABLE clock (
  stream text NOT NULL,
  clock text NOT NULL,
  run int NOT NULL,
  revision bigint NOT NULL,
  order_id text,
  report_id text,
  takedown_id text,
  platform text,
  status text NOT NULL,
  paused boolean NOT NULL,
  started_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  -- Domain time of what the watchdog has to do next for this clock: the warning, or the due time; NULL when there is nothing left.
  next_at timestamptz,
  decided_by text,
  decided_at timestamptz,
  terms jsonb,
  PRIMARY KEY (stream, clock, run)
);
CREATE INDEX clock_next ON clock (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX clock_by_order ON clock (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX clock_by_report ON clock (report_id) WHERE report_id IS NOT NULL;
CREATE INDEX clock_by_takedown ON clock (takedown_id) WHERE takedown_id IS NOT NULL;

-- Rebuilt from the record: the clock streams' states, for the rows above.
CREATE TABLE clock_stream (
  stream text PRIMARY KEY,
  revision bigint NOT NULL,
  state jsonb NOT NULL
);

-- Rebuilt from the record: every version of every policy.
CREATE TABLE sla_policy (
  policy text NOT NULL,
  version int NOT NULL,
  set_at timestamptz NOT NULL,
  terms jsonb NOT NULL,
  PRIMARY KEY (policy, version)
);
