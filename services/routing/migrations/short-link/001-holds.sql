-- Rebuilt from the record: takedowns whose short link is yet to be followed. Their orders wait for it, but no longer than the hold.
CREATE TABLE short_link_hold (
  takedown_id uuid PRIMARY KEY,
  url text NOT NULL,
  product text NOT NULL,
  -- Domain time.
  opened_at timestamptz NOT NULL,
  -- The order went out.
  released boolean NOT NULL DEFAULT false,
  -- Followed to its end, whatever that was.
  ended boolean NOT NULL DEFAULT false,
  -- Wall time.
  claimed_until timestamptz
);
CREATE INDEX short_link_hold_open ON short_link_hold (opened_at) WHERE NOT ended;
