-- The record that this schema belongs to: parts of two records are never mixed.
CREATE TABLE part_of_record (
  only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  record_id text NOT NULL
);
