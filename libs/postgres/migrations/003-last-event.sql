-- The newest event of its own that a reader has come to: by it the record is recognised again, whatever its positions have become.
ALTER TABLE checkpoint
  ADD COLUMN stream   text,
  ADD COLUMN revision bigint,
  ADD COLUMN event_id text;
