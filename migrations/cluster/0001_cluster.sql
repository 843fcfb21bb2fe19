-- cluster.db: what must be equal on every peer. Times and random values are
-- bound by the writer; nothing here asks for the time or for chance.

CREATE TABLE schema_migration (
	version  INTEGER PRIMARY KEY,
	name     TEXT NOT NULL,
	checksum TEXT NOT NULL,
	at_ms    INTEGER NOT NULL
) STRICT;

-- A batch inserts 1 here when what it was decided on still holds, and deletes
-- it again; any other number fails and takes the batch with it.
CREATE TABLE guard (
	ok INTEGER NOT NULL CONSTRAINT unchanged CHECK (ok = 1)
) STRICT;

-- Every batch leaves its id here, so that sending it again finds it done.
CREATE TABLE operation (
	id       TEXT PRIMARY KEY,
	revision INTEGER NOT NULL,
	at_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX operation_at ON operation (at_ms);

CREATE TABLE agreed (
	one           INTEGER PRIMARY KEY CHECK (one = 1),
	cluster       TEXT NOT NULL,
	generation    INTEGER NOT NULL,
	generation_id TEXT NOT NULL,
	parent        TEXT NOT NULL,
	primary_node  TEXT NOT NULL,
	revision      INTEGER NOT NULL
) STRICT;

-- known is the newest cluster migration that the member's release has; 0 until
-- the member has said so itself.
CREATE TABLE member (
	node        TEXT PRIMARY KEY,
	address     TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	release     TEXT NOT NULL,
	known       INTEGER NOT NULL
) STRICT;

-- One row for each configuration item that was set. tbl, idx and leaf are path
-- cut at its first number: "Zones Zone 1 Name" is "Zones Zone", 1, "Name".
CREATE TABLE item (
	path  TEXT PRIMARY KEY,
	tbl   TEXT NOT NULL,
	idx   INTEGER NOT NULL,
	leaf  TEXT NOT NULL,
	value TEXT NOT NULL
) STRICT;
CREATE INDEX item_entry ON item (tbl, idx, leaf);

CREATE TABLE history (
	id        INTEGER PRIMARY KEY,
	revision  INTEGER NOT NULL,
	at_ms     INTEGER NOT NULL,
	user      TEXT NOT NULL,
	via       TEXT NOT NULL,
	source    TEXT NOT NULL,
	peer      TEXT NOT NULL,
	path      TEXT NOT NULL,
	old_value TEXT NOT NULL,
	new_value TEXT NOT NULL,
	comment   TEXT NOT NULL
) STRICT;
CREATE INDEX history_revision ON history (revision);
CREATE INDEX history_path ON history (path);

CREATE TABLE alarm (
	node            TEXT NOT NULL,
	alarm           INTEGER NOT NULL,
	occurrence      TEXT NOT NULL,
	address         TEXT NOT NULL,
	state           TEXT NOT NULL,
	params          TEXT NOT NULL,
	first_ms        INTEGER NOT NULL,
	last_ms         INTEGER NOT NULL,
	count           INTEGER NOT NULL,
	acknowledged_by TEXT NOT NULL,
	comment         TEXT NOT NULL,
	PRIMARY KEY (node, alarm, occurrence)
) STRICT;

CREATE TABLE audit (
	id        INTEGER PRIMARY KEY,
	at_ms     INTEGER NOT NULL,
	user      TEXT NOT NULL,
	via       TEXT NOT NULL,
	source    TEXT NOT NULL,
	peer      TEXT NOT NULL,
	command   TEXT NOT NULL,
	arguments TEXT NOT NULL,
	result    TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at_ms);

-- The views that SQL diagnostics may read. They leave secrets out.

CREATE VIEW diag_item AS
SELECT path, tbl, idx, leaf, CASE WHEN value LIKE '{cipher}%' THEN '********' ELSE value END AS value
FROM item;

CREATE VIEW diag_zone AS
SELECT idx AS zone,
	max(CASE leaf WHEN 'Name' THEN value END) AS name,
	max(CASE leaf WHEN 'Type' THEN value END) AS type,
	max(CASE leaf WHEN 'HopCount' THEN value END) AS hop_count,
	max(CASE leaf WHEN 'H323 Mode' THEN value END) AS h323_mode,
	max(CASE leaf WHEN 'SIP Mode' THEN value END) AS sip_mode,
	max(CASE leaf WHEN 'Neighbor Peer 1 Address' THEN value END) AS peer_1,
	max(CASE leaf WHEN 'Neighbor Peer 2 Address' THEN value END) AS peer_2,
	max(CASE leaf WHEN 'Neighbor Peer 3 Address' THEN value END) AS peer_3,
	max(CASE leaf WHEN 'Neighbor Peer 4 Address' THEN value END) AS peer_4,
	max(CASE leaf WHEN 'Neighbor Peer 5 Address' THEN value END) AS peer_5,
	max(CASE leaf WHEN 'Neighbor Peer 6 Address' THEN value END) AS peer_6
FROM diag_item WHERE tbl = 'Zones Zone' GROUP BY idx;

CREATE VIEW diag_search_rule AS
SELECT idx AS rule,
	max(CASE leaf WHEN 'Name' THEN value END) AS name,
	CAST(max(CASE leaf WHEN 'Priority' THEN value END) AS INTEGER) AS priority,
	max(CASE leaf WHEN 'Protocol' THEN value END) AS protocol,
	max(CASE leaf WHEN 'Source Mode' THEN value END) AS source_mode,
	max(CASE leaf WHEN 'Source Name' THEN value END) AS source,
	max(CASE leaf WHEN 'Authentication' THEN value END) AS authentication,
	max(CASE leaf WHEN 'Mode' THEN value END) AS mode,
	max(CASE leaf WHEN 'Pattern Type' THEN value END) AS pattern_type,
	max(CASE leaf WHEN 'Pattern String' THEN value END) AS pattern,
	max(CASE leaf WHEN 'Pattern Behavior' THEN value END) AS behavior,
	max(CASE leaf WHEN 'Pattern Replace' THEN value END) AS replacement,
	max(CASE leaf WHEN 'Progress' THEN value END) AS on_match,
	max(CASE leaf WHEN 'Target Type' THEN value END) AS target_type,
	max(CASE leaf WHEN 'Target Name' THEN value END) AS target,
	max(CASE leaf WHEN 'State' THEN value END) AS state,
	max(CASE leaf WHEN 'Description' THEN value END) AS description
FROM diag_item WHERE tbl = 'Zones Policy SearchRules Rule' GROUP BY idx;

CREATE VIEW diag_transform AS
SELECT idx AS transform,
	CAST(max(CASE leaf WHEN 'Priority' THEN value END) AS INTEGER) AS priority,
	max(CASE leaf WHEN 'Pattern Type' THEN value END) AS pattern_type,
	max(CASE leaf WHEN 'Pattern String' THEN value END) AS pattern,
	max(CASE leaf WHEN 'Pattern Behavior' THEN value END) AS behavior,
	max(CASE leaf WHEN 'Pattern Replace' THEN value END) AS replacement,
	max(CASE leaf WHEN 'State' THEN value END) AS state,
	max(CASE leaf WHEN 'Description' THEN value END) AS description
FROM diag_item WHERE tbl = 'Transform' GROUP BY idx;

CREATE VIEW diag_link AS
SELECT idx AS link,
	max(CASE leaf WHEN 'Name' THEN value END) AS name,
	max(CASE leaf WHEN 'Node1 Name' THEN value END) AS node_1,
	max(CASE leaf WHEN 'Node2 Name' THEN value END) AS node_2,
	max(CASE leaf WHEN 'Pipe1 Name' THEN value END) AS pipe_1,
	max(CASE leaf WHEN 'Pipe2 Name' THEN value END) AS pipe_2
FROM diag_item WHERE tbl = 'Bandwidth Link' GROUP BY idx;

CREATE VIEW diag_pipe AS
SELECT idx AS pipe,
	max(CASE leaf WHEN 'Name' THEN value END) AS name,
	max(CASE leaf WHEN 'Bandwidth Total Mode' THEN value END) AS total_mode,
	CAST(max(CASE leaf WHEN 'Bandwidth Total Limit' THEN value END) AS INTEGER) AS total_kbps,
	max(CASE leaf WHEN 'Bandwidth PerCall Mode' THEN value END) AS call_mode,
	CAST(max(CASE leaf WHEN 'Bandwidth PerCall Limit' THEN value END) AS INTEGER) AS call_kbps
FROM diag_item WHERE tbl = 'Bandwidth Pipe' GROUP BY idx;

CREATE VIEW diag_subzone AS
SELECT idx AS subzone,
	max(CASE leaf WHEN 'Name' THEN value END) AS name,
	max(CASE leaf WHEN 'Registrations' THEN value END) AS registrations,
	max(CASE leaf WHEN 'Authentication Mode' THEN value END) AS authentication_mode,
	max(CASE leaf WHEN 'Bandwidth Total Mode' THEN value END) AS total_mode,
	CAST(max(CASE leaf WHEN 'Bandwidth Total Limit' THEN value END) AS INTEGER) AS total_kbps,
	max(CASE leaf WHEN 'Bandwidth PerCall Inter Mode' THEN value END) AS inter_mode,
	CAST(max(CASE leaf WHEN 'Bandwidth PerCall Inter Limit' THEN value END) AS INTEGER) AS inter_kbps,
	max(CASE leaf WHEN 'Bandwidth PerCall Intra Mode' THEN value END) AS intra_mode,
	CAST(max(CASE leaf WHEN 'Bandwidth PerCall Intra Limit' THEN value END) AS INTEGER) AS intra_kbps
FROM diag_item WHERE tbl = 'Zones LocalZone SubZones SubZone' GROUP BY idx;

CREATE VIEW diag_address_mapping AS
SELECT idx AS mapping,
	max(CASE leaf WHEN 'FQDN' THEN value END) AS fqdn,
	max(CASE leaf WHEN 'IPAddress' THEN value END) AS ip
FROM diag_item WHERE tbl = 'ClusterConfiguration AddressMapping' GROUP BY idx;

CREATE VIEW diag_history AS
SELECT revision, strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS time, at_ms,
	user, via, source, peer, path, old_value, new_value, comment
FROM history;

CREATE VIEW diag_alarm AS
SELECT alarm, occurrence, node, address AS peer, state,
	strftime('%Y-%m-%dT%H:%M:%fZ', first_ms / 1000.0, 'unixepoch') AS first,
	strftime('%Y-%m-%dT%H:%M:%fZ', last_ms / 1000.0, 'unixepoch') AS last,
	count, acknowledged_by, comment, params
FROM alarm;

CREATE VIEW diag_member AS
SELECT m.node, m.address, m.fingerprint, m.release, m.known AS schema_known, m.node = a.primary_node AS is_primary
FROM member AS m, agreed AS a;

CREATE VIEW diag_agreed AS
SELECT cluster, generation, generation_id, parent, primary_node, revision FROM agreed;

CREATE VIEW diag_audit AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS time, at_ms,
	user, via, source, peer, command, arguments, result
FROM audit;
