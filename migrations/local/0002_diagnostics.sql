-- The views of local.db that SQL diagnostics may read. They leave secrets out:
-- sealed values, password hashes, session tokens, token hashes.

CREATE VIEW diag_identity AS
  SELECT node, cluster, generation, generation_id, generation_parent, serial, state, changed_ms FROM identity;

CREATE VIEW diag_clustering AS
  SELECT kind, name, primary_index, ip_version, tls_mode, peers, saved_ms, created_ms FROM clustering;

CREATE VIEW diag_clustering_peer AS
  SELECT c.kind, p.key + 1 AS peer_index, p.value AS address, p.key + 1 = c.primary_index AS is_primary
    FROM clustering c, json_each(c.peers) p;

CREATE VIEW diag_reset AS
  SELECT since_ms, armed_from, keep, banner_en, banner_ja, blocked FROM reset;

CREATE VIEW diag_restart_reason AS
  SELECT reason, since_ms FROM restart_reason;

CREATE VIEW diag_local_item AS
  SELECT path, CASE WHEN secret THEN '********' ELSE value END AS value, secret FROM local_item;

CREATE VIEW diag_history_local AS
  SELECT id, revision, at_ms, user, via, source, peer, path, old, new, comment FROM local_history;

CREATE VIEW diag_pin AS
  SELECT address, node, fingerprint, offered, state, first_seen_ms, accepted_by, accepted_ms FROM pin;

CREATE VIEW diag_member_known AS
  SELECT node, address, fingerprint, release FROM member;

CREATE VIEW diag_join_token AS
  SELECT address, created_ms, created_by, expires_ms, used_ms, used_by FROM join_token;

CREATE VIEW diag_credential AS
  SELECT name, public, changed_ms FROM credential;

CREATE VIEW diag_account AS
  SELECT name, role, created_ms, changed_ms, disabled FROM account;

CREATE VIEW diag_session AS
  SELECT account, via, source, created_ms, used_ms, idle_ms, absolute_ms FROM session;

CREATE VIEW diag_alarm_own AS
  SELECT id, key, state, peer, params, first_ms, last_ms, count, acknowledged_by, comment, lowered, published, sequence
    FROM alarm_own;

CREATE VIEW diag_event AS
  SELECT id, at_ms, kind, process, module, name, level, detail, code, fields FROM event;

CREATE VIEW diag_fact AS
  SELECT node, heard_ms, facts ->> 'address' AS address, facts ->> 'release' AS release,
         facts ->> '$.store.state' AS store_state, facts ->> '$.store.revision' AS revision,
         json_remove(facts, '$.keys') AS facts
    FROM fact;

CREATE VIEW diag_decision AS
  SELECT seq, id, at_ms, hook, revision, input, answer, degraded, us, instructions FROM decision;

CREATE VIEW diag_migration_local AS
  SELECT version, name, checksum, applied_ms, release FROM migration;
