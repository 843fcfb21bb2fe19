-- local.db: what belongs to one peer, or must work when it is alone.
--
-- Times are INTEGER UTC milliseconds, 0 for "never". Columns named sealed hold
-- "{cipher}…", sealed with the system key; nothing else in this file is secret
-- except account.hash.

PRAGMA application_id = 1751479652; -- "hexd"

-- One row: who this peer is.
CREATE TABLE identity (
  one               INTEGER PRIMARY KEY CHECK (one = 1),
  node              TEXT    NOT NULL CHECK (node <> ''),
  cluster           TEXT    NOT NULL DEFAULT '',
  sealed_secret     TEXT    NOT NULL DEFAULT '',
  generation        INTEGER NOT NULL DEFAULT 0,
  generation_id     TEXT    NOT NULL DEFAULT '',
  generation_parent TEXT    NOT NULL DEFAULT '',
  store_dir         TEXT    NOT NULL DEFAULT '',
  serial            TEXT    NOT NULL,
  sealed_check      TEXT    NOT NULL, -- opens only with the right system key
  state             TEXT    NOT NULL CHECK (state IN ('standalone', 'joining', 'member', 'removed', 'superseded')),
  changed_ms        INTEGER NOT NULL
) STRICT;

-- The clustering page, as entered and as running.
CREATE TABLE clustering (
  kind          TEXT    PRIMARY KEY CHECK (kind IN ('entered', 'running')),
  name          TEXT    NOT NULL,
  primary_index INTEGER NOT NULL,
  ip_version    TEXT    NOT NULL,
  tls_mode      TEXT    NOT NULL,
  peers         TEXT    NOT NULL CHECK (json_valid(peers)), -- addresses in order
  saved_ms      INTEGER NOT NULL,
  created_ms    INTEGER NOT NULL                            -- when the cluster got its name here
) STRICT;

INSERT INTO clustering VALUES ('entered', '', 1, 'IPv4', 'Permissive', '[]', 0, 0),
                              ('running', '', 1, 'IPv4', 'Permissive', '[]', 0, 0);

-- An armed factory reset: at most one row.
CREATE TABLE reset (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  since_ms   INTEGER NOT NULL,
  armed_from TEXT    NOT NULL CHECK (json_valid(armed_from)),
  keep       TEXT    NOT NULL CHECK (json_valid(keep)),
  banner_en  TEXT    NOT NULL,
  banner_ja  TEXT    NOT NULL,
  blocked    TEXT    NOT NULL
) STRICT;

-- Why a restart is pending, in the order in which the reasons arose.
CREATE TABLE restart_reason (
  ord      INTEGER PRIMARY KEY,
  reason   TEXT    NOT NULL UNIQUE,
  since_ms INTEGER NOT NULL
) STRICT;

-- Peer-specific items that were set; path is canonical. value is sealed where secret = 1.
CREATE TABLE local_item (
  path   TEXT    PRIMARY KEY,
  value  TEXT    NOT NULL,
  secret INTEGER NOT NULL CHECK (secret IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE local_revision (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  value INTEGER NOT NULL
) STRICT;

INSERT INTO local_revision VALUES (1, 0);

-- What was changed on this peer alone. Secrets are masked when written.
CREATE TABLE local_history (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  revision INTEGER NOT NULL,
  at_ms    INTEGER NOT NULL,
  user     TEXT    NOT NULL,
  via      TEXT    NOT NULL,
  source   TEXT    NOT NULL,
  peer     TEXT    NOT NULL,
  path     TEXT    NOT NULL,
  old      TEXT    NOT NULL,
  new      TEXT    NOT NULL,
  comment  TEXT    NOT NULL
) STRICT;

CREATE INDEX local_history_path ON local_history (path, id);

-- The key seen at each listed address.
CREATE TABLE pin (
  address        TEXT    PRIMARY KEY,
  node           TEXT    NOT NULL,
  fingerprint    TEXT    NOT NULL,
  offered        TEXT    NOT NULL, -- a changed key that waits for the administrator
  state          TEXT    NOT NULL,
  first_seen_ms  INTEGER NOT NULL,
  accepted_by    TEXT    NOT NULL,
  accepted_ms    INTEGER NOT NULL
) STRICT;

-- The members as agreed, so that peers find each other before cluster.db is open.
CREATE TABLE member (
  node        TEXT PRIMARY KEY,
  address     TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  release     TEXT NOT NULL
) STRICT;

CREATE TABLE join_token (
  hash       TEXT    PRIMARY KEY,
  address    TEXT    NOT NULL, -- whom it is for, '' for anyone listed
  created_ms INTEGER NOT NULL,
  created_by TEXT    NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms    INTEGER NOT NULL,
  used_by    TEXT    NOT NULL
) STRICT;

-- Server certificate ('server') and SSH host keys ('ssh:<algorithm>').
CREATE TABLE credential (
  name       TEXT    PRIMARY KEY,
  public     TEXT    NOT NULL, -- PEM, or the authorized_keys line of a host key
  sealed     TEXT    NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE trusted (
  ord INTEGER PRIMARY KEY,
  pem TEXT    NOT NULL
) STRICT;

CREATE TABLE account (
  name       TEXT    PRIMARY KEY,
  role       TEXT    NOT NULL,
  hash       TEXT    NOT NULL,
  created_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1))
) STRICT;

CREATE TABLE session (
  token_sha256 TEXT    PRIMARY KEY,
  account      TEXT    NOT NULL,
  via          TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  used_ms      INTEGER NOT NULL,
  idle_ms      INTEGER NOT NULL, -- ends then unless used before
  absolute_ms  INTEGER NOT NULL  -- ends then in any case
) STRICT;

CREATE INDEX session_account ON session (account);

-- This peer's own alarms. A lowered one stays until its lowering is published.
CREATE TABLE alarm_own (
  id              INTEGER NOT NULL,
  key             TEXT    NOT NULL,
  state           TEXT    NOT NULL CHECK (state IN ('New', 'Acknowledged')),
  peer            TEXT    NOT NULL,
  params          TEXT    NOT NULL CHECK (json_valid(params)),
  first_ms        INTEGER NOT NULL,
  last_ms         INTEGER NOT NULL,
  count           INTEGER NOT NULL,
  acknowledged_by TEXT    NOT NULL,
  comment         TEXT    NOT NULL,
  lowered         INTEGER NOT NULL CHECK (lowered IN (0, 1)),
  published       INTEGER NOT NULL CHECK (published IN (0, 1)),
  sequence        INTEGER NOT NULL, -- rises with every change of the row
  PRIMARY KEY (id, key)
) STRICT;

CREATE INDEX alarm_own_sequence ON alarm_own (published, sequence);

CREATE TABLE alarm_sequence (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  value INTEGER NOT NULL
) STRICT;

INSERT INTO alarm_sequence VALUES (1, 0);

-- The event journal, a ring.
CREATE TABLE event (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms   INTEGER NOT NULL,
  kind    TEXT    NOT NULL,
  process TEXT    NOT NULL,
  module  TEXT    NOT NULL,
  name    TEXT    NOT NULL,
  level   TEXT    NOT NULL,
  detail  TEXT    NOT NULL,
  code    TEXT    NOT NULL,
  fields  TEXT    NOT NULL CHECK (json_valid(fields)) -- [[name, value], …] in order
) STRICT;

CREATE INDEX event_at ON event (at_ms);
CREATE INDEX event_kind ON event (kind, id);

-- The last facts heard of each other peer.
CREATE TABLE fact (
  node     TEXT    PRIMARY KEY,
  facts    TEXT    NOT NULL CHECK (json_valid(facts)),
  heard_ms INTEGER NOT NULL
) STRICT;

-- Policy decisions made here, a ring.
CREATE TABLE decision (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT    NOT NULL UNIQUE,
  at_ms        INTEGER NOT NULL,
  hook         TEXT    NOT NULL,
  revision     INTEGER NOT NULL,
  input        TEXT    NOT NULL,
  answer       TEXT    NOT NULL,
  degraded     TEXT    NOT NULL, -- why the fail-safe answered, '' when the scripts did
  us           INTEGER NOT NULL,
  instructions INTEGER NOT NULL
) STRICT;

CREATE INDEX decision_hook ON decision (hook, seq);
