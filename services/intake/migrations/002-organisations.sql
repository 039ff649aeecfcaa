-- Rebuilt from the record.
CREATE TABLE organisation (
  id text PRIMARY KEY,
  revision bigint NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  partner_kind text,
  executor text,
  products text[] NOT NULL
);
CREATE TABLE api_key (
  key_id text PRIMARY KEY,
  organisation text NOT NULL,
  holder text NOT NULL,
  roles text[] NOT NULL,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz,
  works_until timestamptz,
  revoked_at timestamptz
);
CREATE INDEX api_key_by_organisation ON api_key (organisation, key_id);

-- Kept: officers' names lie outside the record, sealed under the master key.
CREATE TABLE officer (
  holder text PRIMARY KEY,
  organisation text NOT NULL,
  sealed_name text NOT NULL
);

-- When a key was used last, for whoever looks for keys that nobody needs. Lost without harm.
CREATE TABLE api_key_use (
  key_id text PRIMARY KEY,
  last_used_at timestamptz NOT NULL
);
