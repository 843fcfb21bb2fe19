package sqlstore

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/rqlite/rqlite/v8/command/proto"

	"hexad/engine"
)

// row reads the columns of one row of a result from left to right.
type row struct {
	values []*proto.Parameter
	next   int
}

func each(rows *proto.QueryRows) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		for _, v := range rows.GetValues() {
			if !yield(&row{values: v.GetParameters()}) {
				return
			}
		}
	}
}

func (r *row) take() *proto.Parameter {
	r.next++
	if r.next > len(r.values) {
		return nil
	}
	return r.values[r.next-1]
}

func (r *row) text() string       { return r.take().GetS() }
func (r *row) int() int64         { return r.take().GetI() }
func (r *row) instant() time.Time { return instant(r.int()) }

// Configuration returns the present revision as this copy has it.
// Errors: Unavailable while this peer has no copy.
func (c *Cluster) Configuration(ctx context.Context) (engine.Configuration, error) {
	rows, err := c.query(ctx, stmt("SELECT generation_id, revision FROM agreed"), stmt("SELECT path, value FROM item"))
	if err != nil {
		return engine.Configuration{}, err
	}
	if len(rows[0].GetValues()) == 0 {
		return engine.Configuration{}, errNoCopy
	}
	out := engine.Configuration{Items: make(map[string]string, len(rows[1].GetValues()))}
	for r := range each(rows[0]) {
		out.Generation, out.Revision = r.text(), r.int()
	}
	for r := range each(rows[1]) {
		path := r.text()
		out.Items[path] = r.text()
	}
	return out, nil
}

// ConfigurationSince returns the way from an earlier revision of a generation
// to the present one. It costs what changed, not what there is. ok is false
// when the way is not known: another generation, or a history that does not
// reach back so far. Then Configuration has to be read.
func (c *Cluster) ConfigurationSince(ctx context.Context, generation string, revision int64) (step engine.ConfigurationStep, ok bool, err error) {
	if now, err := c.Agreed(ctx); err == nil && now.Generation.ID == generation && now.Revision == revision {
		return engine.ConfigurationStep{Revision: revision, Set: map[string]string{}}, true, nil
	}
	rows, err := c.query(ctx,
		stmt("SELECT generation_id, revision, (SELECT revision FROM history ORDER BY id LIMIT 1) FROM agreed"),
		stmt(`SELECT h.path, i.value IS NOT NULL, coalesce(i.value, '')
FROM history AS h INDEXED BY history_revision LEFT JOIN item AS i ON i.path = h.path
WHERE h.revision > ?`, revision))
	if err != nil {
		return step, false, err
	}
	for r := range each(rows[0]) {
		same := r.text() == generation
		step.Revision = r.int()
		oldest := r.int()
		ok = same && (step.Revision == revision || oldest <= revision && revision < step.Revision)
	}
	step.Set = make(map[string]string, len(rows[1].GetValues()))
	for r := range each(rows[1]) {
		if path := r.text(); r.int() == 1 {
			step.Set[path] = r.text()
		} else {
			step.Unset = append(step.Unset, path)
		}
	}
	return step, ok, nil
}

// errNoCopy is what reading answers while nothing has arrived here.
var errNoCopy = engine.Errorf(engine.Unavailable, "this peer has no copy of the cluster database yet").
	With("", "it comes with the first contact to the Raft leader")

// Agreed returns what the cluster has agreed on about itself, as this copy has
// it; members are in the order of their node ids. It is cheap while the copy
// does not change.
// Errors: Unavailable while this peer has no copy.
func (c *Cluster) Agreed(ctx context.Context) (engine.Agreed, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, err := c.currentLocked()
	if err != nil {
		return engine.Agreed{}, err
	}
	// The index is read first: what is kept under it is never older than it says.
	index := s.store.DBAppliedIndex()
	if known := s.agreed.Load(); known != nil && known.index == index && index > 0 {
		return known.clone(), nil
	}
	if err := ctx.Err(); err != nil {
		return engine.Agreed{}, engine.Errorf(engine.Unavailable, "not read: %w", err)
	}
	out, err := s.readAgreed()
	if err != nil {
		return engine.Agreed{}, err
	}
	known := &agreedAt{index: index, Agreed: out}
	s.agreed.Store(known)
	return known.clone(), nil
}

// agreedAt is what the cluster agreed on when the copy had everything up to index.
type agreedAt struct {
	index uint64
	engine.Agreed
}

func (a *agreedAt) clone() engine.Agreed {
	out := a.Agreed
	out.Members = slices.Clone(out.Members)
	return out
}

func (s *raftStore) readAgreed() (engine.Agreed, error) {
	rows, err := s.query(
		stmt("SELECT cluster, generation, generation_id, parent, primary_node, revision FROM agreed"),
		stmt("SELECT node, address, fingerprint, release FROM member ORDER BY node"))
	if err != nil {
		return engine.Agreed{}, err
	}
	if len(rows[0].GetValues()) == 0 {
		return engine.Agreed{}, errNoCopy
	}
	var out engine.Agreed
	for r := range each(rows[0]) {
		out.Cluster = r.text()
		out.Generation = engine.Generation{Number: r.int(), ID: r.text(), Parent: r.text()}
		out.Primary, out.Revision = r.text(), r.int()
	}
	for r := range each(rows[1]) {
		out.Members = append(out.Members, engine.Member{Node: r.text(), Address: r.text(), Fingerprint: r.text(), Release: r.text()})
	}
	return out, nil
}

// RevisionFilter chooses entries of the configuration history; zero fields
// choose all. Path is an item or the beginning of several, in whole words.
// Limit 0 means 1,000.
type RevisionFilter struct {
	After, Before int64 // revisions between these, both excluded
	Path          string
	User          string
	Since, Until  time.Time // Since included, Until not
	Limit         int
}

// limitOf is the number of rows for a limit of 0 or beyond reason.
func limitOf(limit int) int64 {
	if limit <= 0 || limit > 100_000 {
		return 1000
	}
	return int64(limit)
}

// History returns the chosen entries, newest first.
func (c *Cluster) History(ctx context.Context, f RevisionFilter) ([]engine.HistoryEntry, error) {
	rows, err := c.query(ctx, stmt(`SELECT revision, at_ms, user, via, source, peer, path, old_value, new_value, comment
FROM history
WHERE revision > ?1 AND (?2 = 0 OR revision < ?2)
	AND (?3 = '' OR path = ?3 OR substr(path, 1, length(?3) + 1) = ?3 || ' ')
	AND ?4 IN ('', user) AND at_ms >= ?5 AND (?6 = 0 OR at_ms < ?6)
ORDER BY revision DESC, id DESC LIMIT ?7`,
		f.After, f.Before, f.Path, f.User, millis(f.Since), millis(f.Until), limitOf(f.Limit)))
	if err != nil {
		return nil, err
	}
	var out []engine.HistoryEntry
	for r := range each(rows[0]) {
		out = append(out, engine.HistoryEntry{
			Revision: r.int(), Time: r.instant(),
			Actor: engine.Actor{User: r.text(), Via: r.text(), Source: r.text()},
			Peer:  r.text(), Path: r.text(), Old: r.text(), New: r.text(), Comment: r.text(),
		})
	}
	return out, nil
}

// PublishedAlarms returns the alarms of every peer as this copy has them, by
// node, alarm and key.
func (c *Cluster) PublishedAlarms(ctx context.Context) ([]engine.RaisedAlarm, error) {
	rows, err := c.query(ctx, stmt(`SELECT node, address, alarm, occurrence, state, params, first_ms, last_ms, count, acknowledged_by, comment
		FROM alarm ORDER BY node, alarm, occurrence`))
	if err != nil {
		return nil, err
	}
	var out []engine.RaisedAlarm
	for r := range each(rows[0]) {
		a := engine.RaisedAlarm{Node: r.text(), Peer: r.text(), ID: int(r.int()), Key: r.text(), State: engine.AlarmState(r.text())}
		if params := r.text(); params != "" {
			json.Unmarshal([]byte(params), &a.Params) // written by PublishAlarms; without them the text shows {names}
		}
		a.First, a.Last, a.Count = r.instant(), r.instant(), int(r.int())
		a.Acknowledged, a.Comment = r.text(), r.text()
		out = append(out, a)
	}
	return out, nil
}

// AuditEntry is one administrator command as it was carried out. Arguments are
// masked by the writer.
type AuditEntry struct {
	Time      time.Time    `json:"time"`
	Actor     engine.Actor `json:"actor"`
	Peer      string       `json:"peer"` // node id where it was given
	Command   string       `json:"command"`
	Arguments string       `json:"arguments"`
	Result    string       `json:"result"` // OK, or the code of the refusal
}

// AuditFilter chooses entries of the audit.
type AuditFilter struct {
	User  string // "" everybody
	Limit int    // 0: 1000
}

// Audit returns the chosen entries, newest first.
func (c *Cluster) Audit(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	rows, err := c.query(ctx, stmt(`SELECT at_ms, user, via, source, peer, command, arguments, result
		FROM audit WHERE ? IN ('', user) ORDER BY id DESC LIMIT ?`, f.User, limitOf(f.Limit)))
	if err != nil {
		return nil, err
	}
	var out []AuditEntry
	for r := range each(rows[0]) {
		out = append(out, AuditEntry{
			Time: r.instant(), Actor: engine.Actor{User: r.text(), Via: r.text(), Source: r.text()},
			Peer: r.text(), Command: r.text(), Arguments: r.text(), Result: r.text(),
		})
	}
	return out, nil
}

// cutPath cuts a canonical path at its first number: the table of the list,
// the entry's number, the rest. A path without a number is all leaf.
func cutPath(path string) (table string, index int64, leaf string) {
	words := strings.Split(path, " ")
	for i, word := range words {
		if n, ok := whole(word); ok {
			return strings.Join(words[:i], " "), n, strings.Join(words[i+1:], " ")
		}
	}
	return "", 0, path
}

// whole reads a word of decimal digits only.
func whole(word string) (int64, bool) {
	if word == "" || len(word) > 9 {
		return 0, false
	}
	var n int64
	for _, d := range word {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int64(d-'0')
	}
	return n, true
}
