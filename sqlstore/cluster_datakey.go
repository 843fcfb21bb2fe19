package sqlstore

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rqlite/rqlite/v8/command/proto"

	"hexad/engine"
)

// DataKey is a key that secrets of cluster.db are sealed with, as its rows tell
// of it. Proof opens with the right key only; see ProofOf.
type DataKey struct {
	Number int64
	Made   time.Time
	By     string // node
	Proof  string
	Wraps  map[string]string // by the public part of a system key
}

// SystemKey is what a member says of its system key.
type SystemKey struct {
	Node   string
	Public string
	Asked  string   // id of a request to make a new one
	Done   string   // id of the last that was carried out
	Lost   []string // what could not be opened then
}

// DataKeys are the keys of cluster.db. Ready is false while the migration that
// brings them waits for a member.
type DataKeys struct {
	Ready   bool
	Keys    []DataKey // by number
	Members []SystemKey
}

// Present is the key that secrets are sealed with from now on; nil while there is none.
func (k DataKeys) Present() *DataKey {
	if len(k.Keys) == 0 {
		return nil
	}
	return &k.Keys[len(k.Keys)-1]
}

// Of is what a member says of its system key; the zero SystemKey for one that
// has said nothing.
func (k DataKeys) Of(node string) SystemKey {
	for _, m := range k.Members {
		if m.Node == node {
			return m
		}
	}
	return SystemKey{}
}

// proofDomain is what the proof of a data key is sealed for.
const proofDomain = "data key"

// ProofOf is the proof of a data key.
//
// Errors: Invalid (length).
func ProofOf(number int64, key []byte) (string, error) {
	s, err := NewDataSealer(number, key)
	if err != nil {
		return "", err
	}
	return s.Seal(proofDomain, nil), nil
}

// Proved makes the Sealer of a data key when key is the one that k tells of.
//
// Errors: Unavailable with ErrKey.
func (k DataKey) Proved(key []byte) (*Sealer, error) {
	s, err := NewDataSealer(k.Number, key)
	if err != nil {
		return nil, err
	}
	_, err = s.Open(proofDomain, k.Proof)
	return s, err
}

// DataKeys returns the keys as this copy has them.
// Errors: Unavailable while this peer has no copy.
func (c *Cluster) DataKeys(ctx context.Context) (DataKeys, error) {
	return readDataKeys(func(s ...statement) ([]*proto.QueryRows, error) { return c.query(ctx, s...) })
}

// CopyDataKeys are those of a database file.
func CopyDataKeys(path string) (DataKeys, error) {
	read, end, err := readFile(path)
	if err != nil {
		return DataKeys{}, err
	}
	defer end()
	return readDataKeys(read)
}

func readDataKeys(read reader) (DataKeys, error) {
	var out DataKeys
	rows, err := read(stmt("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'data_key_wrap'"))
	if err != nil {
		return out, err
	}
	for r := range each(rows[0]) {
		out.Ready = r.int() > 0
	}
	if !out.Ready {
		return out, nil
	}
	rows, err = read(
		stmt("SELECT number, made_ms, made_by, proof FROM data_key ORDER BY number"),
		stmt("SELECT number, public, wrapped FROM data_key_wrap"),
		stmt("SELECT node, public, asked, done, lost FROM system_key ORDER BY node"))
	if err != nil {
		return out, err
	}
	for r := range each(rows[0]) {
		out.Keys = append(out.Keys, DataKey{Number: r.int(), Made: r.instant(), By: r.text(), Proof: r.text(), Wraps: map[string]string{}})
	}
	for r := range each(rows[1]) {
		number, public := r.int(), r.text()
		if i := slices.IndexFunc(out.Keys, func(k DataKey) bool { return k.Number == number }); i >= 0 {
			out.Keys[i].Wraps[public] = r.text()
		}
	}
	for r := range each(rows[2]) {
		m := SystemKey{Node: r.text(), Public: r.text(), Asked: r.text(), Done: r.text()}
		if err := json.Unmarshal([]byte(r.text()), &m.Lost); err != nil {
			return out, engine.Errorf(engine.Internal, "what %s lost with its system key cannot be read: %w", m.Node, err)
		}
		out.Members = append(out.Members, m)
	}
	return out, nil
}

// Wrapping is a data key wrapped for one public part.
type Wrapping struct {
	Number  int64
	Public  string
	Wrapped string
}

func insertWraps(wraps []Wrapping) []statement {
	var out []statement
	for _, w := range wraps {
		out = append(out, stmt("INSERT OR REPLACE INTO data_key_wrap (number, public, wrapped) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM data_key WHERE number = ?1)",
			w.Number, w.Public, w.Wrapped))
	}
	return out
}

// PutSystemKey says what a member's system key is, with the data keys wrapped
// for it that are known. Requests stay as they are. Repeating it is no error.
// Errors: Unavailable.
func (c *Cluster) PutSystemKey(ctx context.Context, m SystemKey, wraps []Wrapping) error {
	_, err := c.applyKept(ctx, newBatch(append([]statement{stmt(`INSERT INTO system_key (node, public, asked, done, lost) VALUES (?, ?, '', ?, ?)
ON CONFLICT (node) DO UPDATE SET public = excluded.public, done = excluded.done, lost = excluded.lost`,
		m.Node, m.Public, m.Done, listText(m.Lost))}, insertWraps(wraps)...)...))
	return err
}

// PutWraps adds data keys wrapped for members. A number that is gone is left out.
// Errors: Unavailable.
func (c *Cluster) PutWraps(ctx context.Context, wraps []Wrapping) error {
	_, err := c.applyKept(ctx, newBatch(insertWraps(wraps)...))
	return err
}

// PutDataKey makes k, whose number follows the present one's, the present key.
//
// Errors: Conflict when another key is present meanwhile, or another peer the
// primary; Unavailable.
func (c *Cluster) PutDataKey(ctx context.Context, k DataKey) error {
	var wraps []Wrapping
	for public, wrapped := range k.Wraps {
		wraps = append(wraps, Wrapping{k.Number, public, wrapped})
	}
	b := newBatch(append([]statement{
		stmt(`INSERT INTO guard (ok) SELECT count(*) FROM agreed
WHERE primary_node = ? AND generation_id = ? AND coalesce((SELECT max(number) FROM data_key), 0) = ?`, c.o.Node, c.Generation().ID, k.Number-1),
		stmt("DELETE FROM guard"),
		stmt("INSERT INTO data_key (number, made_ms, made_by, proof) VALUES (?, ?, ?, ?)", k.Number, millis(k.Made), k.By, k.Proof),
	}, insertWraps(wraps)...)...)
	a, err := c.applyKept(ctx, b)
	if err == nil && a.Outcome == refused {
		return engine.Errorf(engine.Conflict, "another data key was made meanwhile, or another peer is the primary").With("", "look again")
	}
	return err
}

// AskSystemKeys asks members to make a new system key each, under one id.
// Errors: Unavailable.
func (c *Cluster) AskSystemKeys(ctx context.Context, nodes []string, id string) error {
	_, err := c.applyKept(ctx, newBatch(stmt("UPDATE system_key SET asked = ? WHERE node IN (SELECT value FROM json_each(?))", id, listText(nodes))))
	return err
}

// TidyKeys removes what nobody needs: data keys older than the present one that
// no secret is sealed with, with their wraps, system keys of peers that are no
// members, and what is wrapped for system keys that there are no more.
// Errors: Unavailable.
func (c *Cluster) TidyKeys(ctx context.Context) error {
	_, err := c.applyKept(ctx, newBatch(
		stmt(`DELETE FROM data_key WHERE number < (SELECT max(number) FROM data_key)
AND NOT EXISTS (SELECT 1 FROM item WHERE value LIKE '{cipher}k' || data_key.number || ':%')`),
		stmt("DELETE FROM system_key WHERE node NOT IN (SELECT node FROM member)"),
		stmt("DELETE FROM data_key_wrap WHERE number NOT IN (SELECT number FROM data_key) OR public NOT IN (SELECT public FROM system_key)")))
	return err
}
