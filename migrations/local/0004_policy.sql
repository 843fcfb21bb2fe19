-- What a decision went through, in order, and the scripts that are pinned here.

CREATE TABLE decision_step (
  id      TEXT NOT NULL,
  ord     INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  outcome TEXT NOT NULL,
  detail  TEXT NOT NULL,
  PRIMARY KEY (id, ord)
) STRICT;

CREATE TABLE policy_pin (
  script  TEXT PRIMARY KEY,
  version TEXT NOT NULL,
  runs    TEXT NOT NULL,
  reason  TEXT NOT NULL,
  set_by  TEXT NOT NULL,
  set_ms  INTEGER NOT NULL
) STRICT;

CREATE VIEW diag_decision_step AS
  SELECT id, ord, kind, name, outcome, detail FROM decision_step;

CREATE VIEW diag_policy_pin AS
  SELECT script, version, runs, reason, set_by, set_ms FROM policy_pin;

CREATE TRIGGER decision_dropped AFTER DELETE ON decision BEGIN
  DELETE FROM decision_step WHERE id = OLD.id;
END;
