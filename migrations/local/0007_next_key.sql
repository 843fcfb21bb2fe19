-- As in cluster.db: a key that a member is about to use, '' when there is none.

ALTER TABLE member ADD COLUMN next_fingerprint TEXT NOT NULL DEFAULT '';

DROP VIEW diag_member_known;
CREATE VIEW diag_member_known AS
  SELECT node, address, fingerprint, next_fingerprint, release FROM member;
