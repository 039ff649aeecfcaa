-- A kept table: it cannot be rebuilt from the record, and a row that is gone takes the person's data in the record with it.
CREATE TABLE subject_key (
  subject_id text PRIMARY KEY,
  -- The subject's own random key, sealed under the master key.
  sealed_key text NOT NULL
);
