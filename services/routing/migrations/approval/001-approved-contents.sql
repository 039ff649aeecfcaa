-- Rebuilt from sejam.intake.v1: approved contents that were not yet seen to stand in a takedown.
CREATE TABLE approved_content (
  report_id text NOT NULL,
  takedown_id uuid NOT NULL,
  -- Domain time.
  approved_at timestamptz NOT NULL,
  PRIMARY KEY (report_id, takedown_id)
);
