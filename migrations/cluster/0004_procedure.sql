-- Guided procedures: one row for each, of which one at a time is open. seq
-- rises with each change; record is JSON (steps, transcript, what is waited for).

CREATE TABLE procedure (
	id         TEXT PRIMARY KEY,
	kind       TEXT NOT NULL,
	state      TEXT NOT NULL,
	open       INTEGER NOT NULL,
	owner      TEXT NOT NULL,
	seq        INTEGER NOT NULL,
	started_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	record     TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX procedure_open ON procedure (open) WHERE open = 1;

CREATE VIEW diag_procedure AS
SELECT id, kind, state, owner, seq,
	strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') AS started,
	strftime('%Y-%m-%dT%H:%M:%fZ', updated_ms / 1000.0, 'unixepoch') AS updated,
	json_extract(record, '$.actor.user') AS user,
	json_extract(record, '$.step') AS step,
	json_extract(record, '$.waiting') AS waiting,
	json_extract(record, '$.problem') AS problem
FROM procedure;
