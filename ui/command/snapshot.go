package command

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/event"
)

// Bounds of a system snapshot.
const (
	snapshotEvents = 20000    // newest lines of the event log
	maxSnapshot    = 24 << 20 // bytes of the archive
)

// Snapshot is a system snapshot that was taken: its file in base64 for machines.
type Snapshot struct {
	Name  string   `json:"name"`
	Kind  string   `json:"kind"` // Status, Logs, Full
	Files []string `json:"files"`
	File  []byte   `json:"file"`
}

// snapshotEntries take a system snapshot: what whoever helps needs to see. It is
// made of answers of this table as an auditor gets them, and of the diagnostic
// views, so that no secret is in it: neither shows any.
//
// Source: reference 8.4.
func (t *Table) snapshotEntries() []*Entry {
	if t.parts.Journal == nil || t.parts.Diagnostics == nil || t.parts.Host == nil {
		return nil
	}
	return []*Entry{{Group: XCommand, Name: "SystemSnapshot", Role: Auditor,
		Args: []Argument{{Name: "Kind", Space: oneOf("Status", "Logs", "Full"), Default: "Full", Help: engine.Text{
			EN: "Status: status and configuration; Logs: the event log; Full: both, and the diagnostic views", JA: "Status: 状態と設定、Logs: イベントログ、Full: 両方と診断ビュー"}}},
		Help: engine.Text{EN: "Takes a snapshot of this system for support, without secrets; fetch it with: hexad snapshot FILE",
			JA: "サポート用にこのシステムのスナップショットを取得します。シークレットは含みません。取得には hexad snapshot FILE を使います"},
		Example: "xCommand SystemSnapshot Kind: Full", run: t.systemSnapshot}}
}

func (t *Table) systemSnapshot(ctx context.Context, call Call) (Result, error) {
	kind := call.Args["Kind"]
	if kind == "" {
		kind = "Full"
	}
	facts, now := t.parts.Host.Facts(ctx), time.Now().UTC()
	s := newSnapshot(now)
	if kind != "Logs" {
		t.addStatus(ctx, s)
	}
	if kind != "Status" {
		t.addEvents(ctx, s, facts.HostName)
	}
	if kind == "Full" {
		t.addViews(ctx, s)
	}
	file, err := s.close(map[string]any{"release": facts.Release, "system": facts.SystemName, "address": facts.Address, "serial": t.parts.Host.Serial(), "taken": now, "kind": kind})
	if err != nil {
		return Result{}, err
	}
	out := Snapshot{Name: fmt.Sprintf("%s_%s_%s_snapshot.tar.gz", strings.ToLower(kind), t.parts.Host.Serial(), now.Format("20060102_150405")), Kind: kind, Files: s.files, File: file}
	return Result{Data: out, Lines: results(Tree("SystemSnapshot", text("Name", out.Name), number("Bytes", int64(len(file))), text("Files", strings.Join(s.files, " "))))}, nil
}

// answers are the commands whose answers a snapshot holds.
var answers = []struct{ file, command string }{
	{"status", "xStatus"}, {"configuration", "xConfiguration"}, {"history", "xHistory"}, {"certificates", "CertificateShow"},
	{"policies", "PolicyStatus"}, {"digests", "ClusterDigest"}, {"copies", "ConfigurationCopyList"},
}

// addStatus adds the answers, each for people and for machines. What cannot be
// answered now says so in its place.
func (t *Table) addStatus(ctx context.Context, s *snapshot) {
	for _, a := range answers {
		if _, err := t.Lookup(a.command); err != nil {
			continue // not on this system
		}
		result, err := t.Run(ctx, Call{Name: a.command, Role: Auditor, Actor: engine.Actor{User: "snapshot", Via: "shell"}})
		if err != nil {
			s.add(a.file+".txt", []byte(err.Error()+"\n"))
			continue
		}
		s.add(a.file+".txt", []byte(strings.Join(result.Lines, "\n")+"\n"))
		if result.Data != nil {
			s.addJSON(a.file+".json", result.Data)
		}
	}
}

func (t *Table) addEvents(ctx context.Context, s *snapshot, host string) {
	events, err := t.parts.Journal.Events(ctx, snapshotEvents)
	if err != nil {
		s.add("events.log", []byte(err.Error()+"\n"))
		return
	}
	var b strings.Builder
	for _, e := range events {
		b.WriteString(event.Line(e, host, time.UTC, 0))
		b.WriteByte('\n')
	}
	s.add("events.log", []byte(b.String()))
}

// addViews adds the diagnostic views of both databases, which leave secrets out.
func (t *Table) addViews(ctx context.Context, s *snapshot) {
	for _, database := range []string{"cluster", "local"} {
		views, err := t.parts.Diagnostics.Query(ctx, database, "SELECT name FROM sqlite_schema WHERE type = 'view' AND name LIKE 'diag_%' ORDER BY name", 200)
		if err != nil {
			s.add("sql/"+database+".txt", []byte(err.Error()+"\n"))
			continue
		}
		for _, row := range views.Rows {
			name, _ := row[0].(string)
			if name == "diag_event" { // the event log is there as it is
				continue
			}
			rows, err := t.parts.Diagnostics.Query(ctx, database, `SELECT * FROM "`+name+`"`, maxRows)
			if err != nil {
				s.add("sql/"+database+"/"+name+".txt", []byte(err.Error()+"\n"))
				continue
			}
			s.addJSON("sql/"+database+"/"+name+".json", rows)
		}
	}
}

// sealed is a secret as the configuration shows it.
var sealed = regexp.MustCompile(`\{cipher\}[A-Za-z0-9+/=_-]*`)

// snapshot is an archive that is being made. The first failure stays.
type snapshot struct {
	at     time.Time
	buffer bytes.Buffer
	zipped *gzip.Writer
	packed *tar.Writer
	files  []string
	err    error
}

func newSnapshot(at time.Time) *snapshot {
	s := &snapshot{at: at}
	s.zipped = gzip.NewWriter(&s.buffer)
	s.packed = tar.NewWriter(s.zipped)
	return s
}

func (s *snapshot) add(name string, content []byte) {
	if s.err != nil {
		return
	}
	if s.buffer.Len() > maxSnapshot {
		s.err = engine.Errorf(engine.Exhausted, "the snapshot is larger than %d bytes", maxSnapshot).With("Kind", "take Status and Logs one after the other")
		return
	}
	content = sealed.ReplaceAll(content, []byte("********")) // whoever has this system's key could open them
	s.files = append(s.files, name)
	s.err = s.packed.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600, ModTime: s.at})
	if s.err == nil {
		_, s.err = s.packed.Write(content)
	}
}

func (s *snapshot) addJSON(name string, v any) {
	content, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		content = []byte(err.Error())
	}
	s.add(name, append(content, '\n'))
}

// close adds what the snapshot is of, and ends the archive.
func (s *snapshot) close(manifest map[string]any) ([]byte, error) {
	s.addJSON("snapshot.json", manifest)
	if s.err == nil {
		s.err = errors.Join(s.packed.Close(), s.zipped.Close())
	}
	if s.err != nil {
		var e *engine.Error
		if errors.As(s.err, &e) {
			return nil, e
		}
		return nil, &engine.Error{Code: engine.Internal, Message: "the snapshot could not be taken", Err: s.err}
	}
	return s.buffer.Bytes(), nil
}
