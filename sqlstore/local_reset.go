package sqlstore

import (
	"context"
	dbsql "database/sql"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// The closed list of what a factory reset may keep. Nothing else survives it,
// whatever a script asks for.
//
// Source: reference 2.12; reference/policy-api.md section 1.
const (
	KeepLAN1Address       = "network.lan1.ip"
	KeepAdmin             = "accounts.admin"
	KeepRoot              = "accounts.root"
	KeepHostKeys          = "ssh.host_keys"
	KeepOptionKeys        = "option_keys"
	KeepHTTPS             = "access.https"
	KeepSSH               = "access.ssh"
	KeepServerCertificate = "tls.server_certificate"
	KeepPrivateKey        = "tls.private_key"
	KeepTrustStore        = "tls.trust_store"
	KeepLogs              = "log_files" // the event log: root may keep it, no script
)

// Keepable lists the whole closed list.
var Keepable = []string{KeepLAN1Address, KeepAdmin, KeepRoot, KeepHostKeys, KeepOptionKeys, KeepHTTPS, KeepSSH,
	KeepServerCertificate, KeepPrivateKey, KeepTrustStore, KeepLogs}

// keptItems are the local items of each name: whole paths, or beginnings that
// end in a space.
var keptItems = map[string][]string{
	KeepLAN1Address: {"Ethernet 1 IP ", "Ethernet 1 Speed", "IP Gateway", "IP V6 Gateway", "IPProtocol"},
	KeepOptionKeys:  {"Option "},
	KeepHTTPS:       {"Administration HTTPS Mode"},
	KeepSSH:         {"Administration SSH Mode"},
}

// Reset makes this peer a new, stand-alone one in one transaction: it keeps
// what keep names, with the serial number and the system key, deletes
// everything else, and makes a new node id. The restart that follows starts
// from the defaults.
//
// The keys that may sign in over SSH are deleted: an account is kept with its
// password alone. A certificate and its key are one: both are kept only when keep names both.
// Deleted rows are overwritten in the file, so that no secret can be found there.
//
// Errors: Invalid (a name outside of the closed list).
func (l *Local) Reset(ctx context.Context, keep []string) error {
	for _, name := range keep {
		if !slices.Contains(Keepable, name) {
			return engine.Errorf(engine.Invalid, "a factory reset cannot keep %q", name).
				With("keep", "names that can be kept: "+strings.Join(Keepable, ", "))
		}
	}
	if l.LostKey() { // what it cannot open it cannot keep
		if err := l.RenewKey(ctx, KeyRenewal{}); err != nil {
			return err
		}
	}
	const doing = "reset this peer"
	err := l.write(ctx, doing, func(tx *dbsql.Tx) error {
		for _, step := range resetSteps(keep) {
			if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := l.mark(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.durable.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return sqliteError(doing, err)
}

type resetStep struct {
	query string
	args  []any
}

func resetSteps(keep []string) []resetStep {
	kept := func(name string) bool { return slices.Contains(keep, name) }
	steps := []resetStep{
		{`UPDATE identity SET node = ?, cluster = '', sealed_secret = '', generation = 0, generation_id = '',
			generation_parent = '', store_dir = '', state = ?, changed_ms = ?`, []any{newNode(), Standalone, time.Now().UnixMilli()}},
		{`UPDATE clustering SET name = '', primary_index = 1, ip_version = 'IPv4', tls_mode = 'Permissive', peers = '[]',
			saved_ms = 0, created_ms = 0`, nil},
		{"UPDATE local_revision SET value = 0", nil},
		deleteItems(keep),
	}
	for _, table := range []string{"reset", "restart_reason", "local_history", "pin", "member", "join_token", "session",
		"alarm_own", "event", "fact", "decision", "policy_pin", "state", "authorized_key"} {
		if table != "event" || !kept(KeepLogs) {
			steps = append(steps, resetStep{"DELETE FROM " + table, nil})
		}
	}
	accounts := []string{}
	if kept(KeepAdmin) {
		accounts = append(accounts, "admin")
	}
	if kept(KeepRoot) {
		accounts = append(accounts, "root")
	}
	steps = append(steps, resetStep{"DELETE FROM account WHERE name NOT IN (SELECT value FROM json_each(?))", []any{jsonText(accounts)}})
	if !kept(KeepServerCertificate) || !kept(KeepPrivateKey) {
		steps = append(steps, resetStep{"DELETE FROM credential WHERE name = ?", []any{serverCredential}})
	}
	steps = append(steps, resetStep{"DELETE FROM credential WHERE name = ?", []any{pendingCredential}})
	if !kept(KeepHostKeys) {
		steps = append(steps, resetStep{"DELETE FROM credential WHERE name LIKE ?", []any{hostKeyPrefix + "%"}})
	}
	if !kept(KeepTrustStore) {
		steps = append(steps, resetStep{"DELETE FROM trusted", nil})
	}
	return steps
}

// KeptItem is the name of the closed list that keeps a local item, "" when none does.
func KeptItem(path string) string {
	for name, items := range keptItems {
		for _, item := range items {
			if item == path || strings.HasSuffix(item, " ") && strings.HasPrefix(path, item) {
				return name
			}
		}
	}
	return ""
}

// deleteItems deletes the local items that no name in keep stands for.
func deleteItems(keep []string) resetStep {
	s := resetStep{query: "DELETE FROM local_item WHERE true"}
	for _, name := range keep {
		for _, item := range keptItems[name] {
			if strings.HasSuffix(item, " ") {
				s.query += " AND substr(path, 1, ?) <> ?"
				s.args = append(s.args, len(item), item)
				continue
			}
			s.query += " AND path <> ?"
			s.args = append(s.args, item)
		}
	}
	return s
}

// Purge makes this peer one that belongs to no cluster and has no copy of any
// cluster's database, in one transaction: it gets a new node id and an empty
// clustering page. What is its own, its items, accounts, certificate and keys,
// stays. The store is then founded anew by the start that follows.
//
// Source: reference 2.17.
func (l *Local) Purge(ctx context.Context) error {
	const doing = "leave the cluster database"
	return l.write(ctx, doing, func(tx *dbsql.Tx) error {
		steps := resetSteps(nil)[:2] // the identity, the clustering page
		for _, table := range []string{"reset", "restart_reason", "pin", "member", "join_token", "alarm_own", "fact", "policy_pin", "state"} {
			steps = append(steps, resetStep{"DELETE FROM " + table, nil})
		}
		for _, step := range steps {
			if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
