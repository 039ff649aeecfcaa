-- Kept: the record knows a secret only by its id and fingerprint. Sealed under the master key.
CREATE TABLE webhook_secret (
  secret_id text PRIMARY KEY,
  platform text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('orders', 'answers')),
  sealed text NOT NULL,
  fingerprint text NOT NULL
);
