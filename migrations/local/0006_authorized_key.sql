-- The public keys that may sign in over SSH. A factory reset deletes them; the
-- host key is in table credential.

CREATE TABLE authorized_key (
  account     TEXT    NOT NULL,
  fingerprint TEXT    NOT NULL, -- SHA256:…
  line        TEXT    NOT NULL, -- algorithm and key, without the comment
  comment     TEXT    NOT NULL,
  added_ms    INTEGER NOT NULL,
  added_by    TEXT    NOT NULL,
  PRIMARY KEY (account, fingerprint)
) STRICT;

CREATE VIEW diag_authorized_key AS
  SELECT account, fingerprint, line, comment, added_ms, added_by FROM authorized_key;
