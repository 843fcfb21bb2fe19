-- Policies: versions of scripts, revisions of them, operators' tables, waivers.
-- Source: reference/policy-api.md section 7.

-- draft is the version that the next revision takes: the SHA-256 of one, or
-- 'removed', or '' when the script stays as it is. draft_by asked for it.
CREATE TABLE policy_script (
	name       TEXT PRIMARY KEY,
	hook       TEXT NOT NULL,
	builtin    INTEGER NOT NULL,
	draft      TEXT NOT NULL,
	draft_by   TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	created_by TEXT NOT NULL
) STRICT;

-- A version never changes. replaces is the SHA-256 of the built-in that it was
-- made to replace, '' for a script of the site's own.
CREATE TABLE policy_version (
	sha256       TEXT PRIMARY KEY,
	name         TEXT NOT NULL,
	hook         TEXT NOT NULL,
	api          INTEGER NOT NULL,
	source       TEXT NOT NULL,
	tests        TEXT NOT NULL,
	replaces     TEXT NOT NULL,
	author       TEXT NOT NULL,
	comment      TEXT NOT NULL,
	created_ms   INTEGER NOT NULL,
	check_report TEXT NOT NULL
) STRICT;
CREATE INDEX policy_version_name ON policy_version (name, created_ms);

-- state is staging, refused, staged, active or retired; at most one is active.
CREATE TABLE policy_revision (
	n            INTEGER PRIMARY KEY,
	state        TEXT NOT NULL,
	based_on     INTEGER NOT NULL,
	author       TEXT NOT NULL,
	staged_by    TEXT NOT NULL,
	approver     TEXT NOT NULL,
	comment      TEXT NOT NULL,
	created_ms   INTEGER NOT NULL,
	activated_ms INTEGER NOT NULL,
	reason       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX policy_revision_active ON policy_revision (state) WHERE state = 'active';

-- sha256 '' is the built-in as it comes, in another mode. ord 0 is the script's own order.
CREATE TABLE policy_item (
	n          INTEGER NOT NULL,
	name       TEXT NOT NULL,
	sha256     TEXT NOT NULL,
	mode       TEXT NOT NULL,
	on_failure TEXT NOT NULL,
	ord        INTEGER NOT NULL,
	PRIMARY KEY (n, name)
) STRICT;

CREATE TABLE policy_data (
	n     INTEGER NOT NULL,
	tbl   TEXT NOT NULL,
	key   TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (n, tbl, key)
) STRICT;

-- What the next revision changes in the operators' tables.
CREATE TABLE policy_data_draft (
	tbl     TEXT NOT NULL,
	key     TEXT NOT NULL,
	value   TEXT NOT NULL,
	removed INTEGER NOT NULL,
	author  TEXT NOT NULL,
	at_ms   INTEGER NOT NULL,
	PRIMARY KEY (tbl, key)
) STRICT;

CREATE TABLE policy_ack (
	n      INTEGER NOT NULL,
	peer   TEXT NOT NULL,
	ok     INTEGER NOT NULL,
	detail TEXT NOT NULL,
	at_ms  INTEGER NOT NULL,
	PRIMARY KEY (n, peer)
) STRICT;

CREATE TABLE policy_waiver (
	id         TEXT PRIMARY KEY,
	finding    TEXT NOT NULL,
	peer       TEXT NOT NULL,
	until_ms   INTEGER NOT NULL,
	reason     TEXT NOT NULL,
	author     TEXT NOT NULL,
	created_ms INTEGER NOT NULL
) STRICT;

CREATE VIEW diag_policy_script AS
SELECT name, hook, builtin, draft, draft_by, strftime('%Y-%m-%dT%H:%M:%fZ', created_ms / 1000.0, 'unixepoch') AS created, created_by
FROM policy_script;

CREATE VIEW diag_policy_version AS
SELECT sha256, name, hook, api, length(source) AS source_bytes, length(tests) AS test_bytes, replaces, author, comment,
	strftime('%Y-%m-%dT%H:%M:%fZ', created_ms / 1000.0, 'unixepoch') AS created, check_report
FROM policy_version;

CREATE VIEW diag_policy_revision AS
SELECT n AS revision, state, based_on, author, staged_by, approver, comment,
	strftime('%Y-%m-%dT%H:%M:%fZ', created_ms / 1000.0, 'unixepoch') AS created,
	CASE activated_ms WHEN 0 THEN NULL ELSE strftime('%Y-%m-%dT%H:%M:%fZ', activated_ms / 1000.0, 'unixepoch') END AS activated, reason
FROM policy_revision;

CREATE VIEW diag_policy_item AS
SELECT n AS revision, name, sha256, mode, on_failure, ord FROM policy_item;

CREATE VIEW diag_policy_data AS
SELECT n AS revision, tbl, key, value FROM policy_data;

CREATE VIEW diag_policy_data_draft AS
SELECT tbl, key, value, removed, author, strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS time
FROM policy_data_draft;

CREATE VIEW diag_policy_ack AS
SELECT n AS revision, peer, ok, detail, strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS time FROM policy_ack;

CREATE VIEW diag_policy_waiver AS
SELECT id, finding, peer, strftime('%Y-%m-%dT%H:%M:%fZ', until_ms / 1000.0, 'unixepoch') AS until, until_ms, reason, author,
	strftime('%Y-%m-%dT%H:%M:%fZ', created_ms / 1000.0, 'unixepoch') AS created
FROM policy_waiver;
