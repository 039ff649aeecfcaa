-- Views of the conversation, one row a stream, written by its messages alone and joined on reading; all can be rebuilt from the topics.

CREATE TABLE takedown (
  id        uuid PRIMARY KEY,
  revision  bigint NOT NULL,
  platform  text NOT NULL,
  category  text NOT NULL,
  opened_at timestamptz NOT NULL,
  -- Organisations and reports that ever joined.
  reporters text[] NOT NULL,
  reports   uuid[] NOT NULL,
  state     json NOT NULL
) WITH (fillfactor = 70);

-- What statistics count. The takedown's row says the rest.
CREATE TABLE placed_order (
  takedown_id     uuid NOT NULL,
  round           int NOT NULL,
  revision        bigint NOT NULL,
  platform        text NOT NULL,
  product         text NOT NULL,
  category        text NOT NULL,
  region          text NOT NULL,
  agency          text NOT NULL,
  issue           text,
  test            boolean NOT NULL,
  status          text NOT NULL,
  open            boolean NOT NULL,
  issued_at       timestamptz NOT NULL,
  first_report_at timestamptz NOT NULL,
  delivered_at    timestamptz,
  answered_at     timestamptz,
  due_at          timestamptz NOT NULL,
  deemed          boolean NOT NULL,
  objected        boolean NOT NULL,
  -- Null: the platform took no action.
  as_requested    boolean,
  action          text,
  refusal         text,
  reinstated      boolean NOT NULL,
  -- Of the resolution clock: met, missed, stopped, undecided; null while it has not started.
  resolution      text,
  PRIMARY KEY (takedown_id, round)
) WITH (fillfactor = 70);
CREATE INDEX placed_order_issued ON placed_order (issued_at);
CREATE INDEX placed_order_open ON placed_order (due_at) WHERE open;

CREATE TABLE report (
  id           uuid PRIMARY KEY,
  reported_by  text NOT NULL,
  status       text NOT NULL,
  category     text NOT NULL,
  issue        text,
  content_keys text[] NOT NULL,
  submitted_at timestamptz NOT NULL,
  -- Of the newest approval, while it is not withdrawn.
  approved_at  timestamptz,
  state        json NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX report_submitted ON report (submitted_at);
CREATE INDEX report_approved ON report (approved_at) WHERE approved_at IS NOT NULL;

CREATE TABLE unroutable_report (
  event_id    text PRIMARY KEY,
  at          timestamptz NOT NULL,
  category    text NOT NULL,
  reported_by text NOT NULL
);

-- The clocks as sla tells of them; subject: the report or order.
CREATE TABLE clock (
  subject    text NOT NULL,
  clock      text NOT NULL,
  run        int NOT NULL,
  due_at     timestamptz NOT NULL,
  started_at timestamptz,
  -- running, met, missed, stopped
  outcome    text NOT NULL,
  decided_at timestamptz,
  PRIMARY KEY (subject, clock, run)
) WITH (fillfactor = 70);
