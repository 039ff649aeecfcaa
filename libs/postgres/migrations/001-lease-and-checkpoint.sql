-- One row per thing that only one instance may do at a time. Wall time of the database server, since it is one clock for all.
CREATE TABLE lease (
  name    text PRIMARY KEY,
  holder  uuid NOT NULL,
  epoch   bigint NOT NULL,
  expires timestamptz NOT NULL
);

-- How far a reader of the record has come. Both positions are kept: a resumed subscription needs both (uint64, hence numeric).
-- Only the holder of the newest epoch may move it.
CREATE TABLE checkpoint (
  name             text PRIMARY KEY,
  epoch            bigint NOT NULL,
  commit_position  numeric(20),
  prepare_position numeric(20)
);
