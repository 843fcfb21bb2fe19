-- The keys that the secrets among the items are sealed with: "{cipher}k7:…" is
-- of data key 7. proof is a text that opens with the right key only.

CREATE TABLE data_key (
	number  INTEGER PRIMARY KEY,
	made_ms INTEGER NOT NULL,
	made_by TEXT NOT NULL,
	proof   TEXT NOT NULL
) STRICT;

-- Each data key once for each peer that may have it, wrapped for the public
-- part of its system key.
CREATE TABLE data_key_wrap (
	number  INTEGER NOT NULL,
	public  TEXT NOT NULL,
	wrapped TEXT NOT NULL,
	PRIMARY KEY (number, public)
) STRICT;

-- The public part of each member's system key, as the member itself says.
-- asked is the id of a request to make a new one, done that of the last one
-- that was carried out; lost is JSON: what could not be opened then.
CREATE TABLE system_key (
	node   TEXT PRIMARY KEY,
	public TEXT NOT NULL,
	asked  TEXT NOT NULL,
	done   TEXT NOT NULL,
	lost   TEXT NOT NULL
) STRICT;

CREATE VIEW diag_data_key AS
SELECT k.number, strftime('%Y-%m-%dT%H:%M:%fZ', k.made_ms / 1000.0, 'unixepoch') AS made, k.made_by,
	(SELECT count(*) FROM item WHERE value LIKE '{cipher}k' || k.number || ':%') AS secrets
FROM data_key AS k;

CREATE VIEW diag_system_key AS
SELECT s.node, m.address AS peer, s.public, s.asked, s.done, s.lost,
	(SELECT max(number) FROM data_key) AS data_key,
	EXISTS (SELECT 1 FROM data_key_wrap AS w WHERE w.public = s.public AND w.number = (SELECT max(number) FROM data_key)) AS wrapped
FROM system_key AS s LEFT JOIN member AS m ON m.node = s.node;
