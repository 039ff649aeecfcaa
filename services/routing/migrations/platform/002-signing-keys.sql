-- Kept: the private halves of our own ed25519 keys, sealed under the master key. The record holds their public halves.
CREATE TABLE signing_key (
  key_id text PRIMARY KEY,
  sealed text NOT NULL
);
