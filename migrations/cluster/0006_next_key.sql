-- next_fingerprint is that of the key a member is about to use, '' when there is
-- none: it is accepted beside the present one until the member uses it.

ALTER TABLE member ADD COLUMN next_fingerprint TEXT NOT NULL DEFAULT '';

DROP VIEW diag_member;
CREATE VIEW diag_member AS
SELECT m.node, m.address, m.fingerprint, m.next_fingerprint, m.release, m.known AS schema_known, m.node = a.primary_node AS is_primary
FROM member AS m, agreed AS a;
