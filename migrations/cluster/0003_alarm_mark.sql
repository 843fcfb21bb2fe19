-- What the rules made of raised alarms: one row for each that they said
-- something about. first_ms is the occurrence that it belongs to; mark is JSON.

CREATE TABLE alarm_mark (
	node       TEXT NOT NULL,
	alarm      INTEGER NOT NULL,
	occurrence TEXT NOT NULL,
	first_ms   INTEGER NOT NULL,
	mark       TEXT NOT NULL,
	PRIMARY KEY (node, alarm, occurrence)
) STRICT;

CREATE VIEW diag_alarm_mark AS
SELECT m.alarm, m.occurrence, m.node, a.address AS peer,
	json_extract(m.mark, '$.severity') AS severity,
	json_extract(m.mark, '$.expected_until') AS expected_until,
	json_extract(m.mark, '$.reason') AS reason,
	json_extract(m.mark, '$.suggested') AS suggested,
	json_extract(m.mark, '$.decision') AS decision
FROM alarm_mark AS m LEFT JOIN alarm AS a ON a.node = m.node AND a.alarm = m.alarm AND a.occurrence = m.occurrence;
