-- Rebuilt from the record. `state` is the takedown as its events fold.
CREATE TABLE takedown (
  id uuid PRIMARY KEY,
  revision bigint NOT NULL,
  platform text NOT NULL,
  product text NOT NULL,
  content_key text NOT NULL,
  category text NOT NULL,
  status text NOT NULL,
  regions text[] NOT NULL,
  reporters text[] NOT NULL,
  issues text[] NOT NULL,
  opened_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  -- The next due time of the platform, while its order is open.
  due_at timestamptz,
  state jsonb NOT NULL
);
CREATE INDEX takedown_by_time ON takedown (opened_at DESC, id DESC);
CREATE INDEX takedown_by_change ON takedown (changed_at, id);
CREATE INDEX takedown_by_due ON takedown (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX takedown_by_reporter ON takedown USING gin (reporters);

CREATE TABLE takedown_order (
  order_id text PRIMARY KEY,
  takedown_id uuid NOT NULL,
  platform text NOT NULL,
  status text NOT NULL,
  issued_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE INDEX takedown_order_by_change ON takedown_order (platform, changed_at, order_id);

-- Rebuilt from the record: which request an Idempotency-Key was first used for, on whatever takedown.
CREATE TABLE takedown_request (
  cause text PRIMARY KEY,
  sha256 text NOT NULL
);

-- Rebuilt from sejam.sla.v1.
CREATE TABLE sla_policy (
  policy text NOT NULL,
  version int NOT NULL,
  document jsonb NOT NULL,
  PRIMARY KEY (policy, version)
);

-- Kept: what a platform sent with a valid signature and was refused all the same. One row however often it was repeated.
CREATE TABLE refused_webhook (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  platform text NOT NULL,
  webhook_id text NOT NULL,
  code text NOT NULL,
  status int NOT NULL,
  detail text NOT NULL,
  body text NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  times int NOT NULL DEFAULT 1,
  UNIQUE (platform, webhook_id, code)
);
