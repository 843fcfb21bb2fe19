-- The record of decisions is bounded by its size too, and its aliases may be masked.

-- bytes is what the row and its steps take. masked: 0 as it was made, 1 looked
-- at and nothing to mask, 2 aliases are masked.
ALTER TABLE decision ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE decision ADD COLUMN masked INTEGER NOT NULL DEFAULT 0;

UPDATE decision SET bytes = length(CAST(input AS BLOB)) + length(CAST(answer AS BLOB))
  + coalesce((SELECT sum(length(CAST(detail AS BLOB))) FROM decision_step AS s WHERE s.id = decision.id), 0);

CREATE INDEX decision_unmasked ON decision (seq) WHERE masked = 0;

-- One row: the bytes of all decisions.
CREATE TABLE decision_size (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  bytes INTEGER NOT NULL
) STRICT;

INSERT INTO decision_size (one, bytes) SELECT 1, coalesce(sum(bytes), 0) FROM decision;

CREATE TRIGGER decision_added AFTER INSERT ON decision BEGIN
  UPDATE decision_size SET bytes = bytes + NEW.bytes;
END;

CREATE TRIGGER decision_changed AFTER UPDATE OF bytes ON decision BEGIN
  UPDATE decision_size SET bytes = bytes + NEW.bytes - OLD.bytes;
END;

DROP TRIGGER decision_dropped;

CREATE TRIGGER decision_dropped AFTER DELETE ON decision BEGIN
  DELETE FROM decision_step WHERE id = OLD.id;
  UPDATE decision_size SET bytes = bytes - OLD.bytes;
END;

DROP VIEW diag_decision;

CREATE VIEW diag_decision AS
  SELECT seq, id, at_ms, hook, revision, input, answer, degraded, us, instructions, bytes, masked FROM decision;
