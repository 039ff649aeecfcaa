-- Rebuilt from the record, but for attempts at notices: what was or is to be sent to platforms, in the record's order, with the exact body.
CREATE TABLE delivery (
  webhook_id uuid PRIMARY KEY,
  -- The feed's order.
  place bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  takedown_id uuid NOT NULL,
  order_id text NOT NULL,
  platform text NOT NULL,
  sequence bigint NOT NULL,
  type text NOT NULL,
  body text NOT NULL,
  at timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'superseded', 'parked')),
  via text,
  delivered_at timestamptz,
  attempts int NOT NULL DEFAULT 0,
  platform_failures int NOT NULL DEFAULT 0,
  deemed boolean NOT NULL DEFAULT false,
  first_attempt_at timestamptz,
  last_attempt_at timestamptz,
  last_cause text,
  -- Domain time.
  due_at timestamptz NOT NULL,
  -- Wall time. Whoever claimed it and died leaves it to the others then.
  claimed_until timestamptz
);
CREATE INDEX delivery_due ON delivery (platform, due_at, place) WHERE status = 'pending';
CREATE INDEX delivery_of_order ON delivery (order_id, sequence) WHERE status IN ('pending', 'parked');
CREATE INDEX delivery_order ON delivery (order_id) WHERE type = 'order.issued';
CREATE INDEX delivery_feed ON delivery (platform, place);
CREATE INDEX delivery_deemable ON delivery (at) WHERE status = 'pending' AND NOT deemed AND platform_failures >= 3;

-- Rebuilt from the record as far as it is told there: how each platform's endpoint has behaved. Domain times.
CREATE TABLE endpoint_sign (
  platform text PRIMARY KEY,
  tried_at timestamptz,
  -- Any answer over HTTP, also a refusal: the way there works.
  answered_at timestamptz,
  success_at timestamptz,
  -- 410 answers since the last success.
  gone_at timestamptz[] NOT NULL DEFAULT '{}',
  -- The next probe of a paused endpoint.
  probe_at timestamptz
);
