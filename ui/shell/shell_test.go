package shell_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/config"
	"hexad/ui/command"
	"hexad/ui/shell"
)

var golden = flag.Bool("golden", false, "rewrite the transcripts in testdata")

// memory is the stores of a configuration service, in memory.
type memory struct {
	mu       sync.Mutex
	revision int64
	items    map[string]string
	local    map[string]string
	page     engine.Clustering
	reset    *engine.Reset
	restart  []string
}

func (m *memory) Configuration(context.Context) (engine.Configuration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := engine.Configuration{Revision: m.revision, Items: map[string]string{}}
	for k, v := range m.items {
		c.Items[k] = v
	}
	return c, nil
}

func (m *memory) SaveConfiguration(_ context.Context, save engine.Save) (engine.Saved, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if save.Base != m.revision {
		return engine.Saved{}, engine.Errorf(engine.Conflict, "the configuration changed since revision %d", save.Base)
	}
	m.revision++
	m.write(m.items, save.Changes)
	return engine.Saved{Revision: m.revision, Replication: engine.Replicated}, nil
}

func (m *memory) write(rows map[string]string, changes []engine.Change) {
	for _, c := range changes {
		if c.Delete {
			delete(rows, c.Path)
		} else {
			rows[c.Path] = c.Value
		}
	}
}

func (m *memory) Items(context.Context) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]string{}
	for k, v := range m.local {
		out[k] = v
	}
	return out, nil
}

func (m *memory) SaveItems(_ context.Context, save engine.Save) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.write(m.local, save.Changes)
	return nil
}

func (m *memory) Entered() engine.Clustering {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.page
}

func (m *memory) SaveClustering(ctx context.Context, actor engine.Actor, page engine.Clustering) (engine.ClusteringSaved, error) {
	return m.Save(ctx, actor, page)
}

func (m *memory) Save(_ context.Context, _ engine.Actor, page engine.Clustering) (engine.ClusteringSaved, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(page.Peers) == 0 && len(m.page.Peers) > 0 {
		m.reset = &engine.Reset{Banner: engine.Text{EN: "Factory reset pending: the next restart deletes the configuration.", JA: "工場出荷時リセットが保留中です。"}}
	}
	m.page = page
	m.restart = []string{"20007 the clustering page was changed"}
	return engine.ClusteringSaved{Entered: page, Restart: m.restart, Reset: m.reset}, nil
}

// saved is what rests in the stores now.
func (m *memory) saved(path string) (value string, revision int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.local[path]; ok {
		return v, m.revision
	}
	return m.items[path], m.revision
}

func (m *memory) View(context.Context) engine.ClusterView {
	m.mu.Lock()
	defer m.mu.Unlock()
	return engine.ClusterView{Address: "192.0.2.1", Entered: m.page, Running: m.page, Revision: m.revision, Database: "Active",
		Restart: m.restart, Reset: m.reset}
}

func (m *memory) Pending() engine.ClusterView { return m.View(context.Background()) }

func (m *memory) Restart(context.Context, engine.Actor) error { return nil }

func newTable(t testing.TB) (*memory, *command.Table) {
	t.Helper()
	m := &memory{items: map[string]string{}, local: map[string]string{}}
	reg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	service := config.New(reg, m, m, m, nil, quiet())
	if _, err := service.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m, command.New(command.Parts{Cluster: m, Registry: reg, Configuration: service})
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newSession(table *command.Table) *shell.Session {
	return shell.NewSession(table, command.By{Actor: engine.Actor{User: "admin", Via: "ssh"}, Role: command.Administrator})
}

// TestTranscripts: each file of testdata/shell is a conversation; what follows
// "> " was typed, the rest is answered.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/shell/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, table := newTable(t)
			session := newSession(table)
			var got strings.Builder
			for block := range strings.SplitSeq(typedOnly(string(text)), "\n\n") {
				lines := strings.Split(strings.TrimSpace(block), "\n")
				for _, line := range lines {
					fmt.Fprintf(&got, "> %s\n", line)
				}
				for _, a := range session.Answers(t.Context(), lines) {
					fmt.Fprintf(&got, "%s\n", strings.Join(a.Lines, "\n"))
				}
				got.WriteString("\n")
			}
			if *golden {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != string(text) {
				t.Errorf("%s: got\n%s\nwant\n%s", file, got.String(), text)
			}
		})
	}
}

// typedOnly keeps the typed lines of a transcript; lines typed together stay together.
func typedOnly(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if typed, ok := strings.CutPrefix(line, "> "); ok {
			b.WriteString(typed + "\n")
		} else if !strings.HasSuffix(b.String(), "\n\n") && b.Len() > 0 {
			b.WriteString("\n")
		}
	}
	return strings.TrimSpace(b.String())
}

// TestPasteIsOneRevision: settings that arrive together over a stream become
// one revision; a setting after a pause is another.
func TestPasteIsOneRevision(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, table := newTable(t)
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- newSession(table).Serve(t.Context(), far, "hexad> ") }()
		answers := make(chan string, 1)
		go func() {
			text, _ := io.ReadAll(near) // ends when the session closes the pipe
			answers <- string(text)
		}()
		fmt.Fprint(near, "xConfiguration H323 Mode: On\nxConfiguration Bandwidth Default: 512\nxConfiguration SystemUnit Name: \"a\"\n")
		synctest.Wait()
		time.Sleep(time.Second) // of the bubble's clock
		width, revision := m.saved("Bandwidth Default")
		if name, _ := m.saved("SystemUnit Name"); revision != 1 || width != "512" || name != "a" {
			t.Errorf("after the paste: revision %d, %q, %q", revision, width, name)
		}
		fmt.Fprint(near, "xConfiguration H323 Mode: Off\n")
		time.Sleep(time.Second)
		fmt.Fprint(near, "bye\n")
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
		far.Close()
		_, revision = m.saved("")
		if text := <-answers; revision != 2 || !strings.Contains(text, "revision 1: saved and replicated") || !strings.Contains(text, "Bye!") ||
			!strings.HasPrefix(text, "hexad> ") {
			t.Errorf("revision %d, answers %q", revision, text)
		}
	})
}

// server runs a server on a socket in a directory of the test.
func server(t *testing.T, table shell.Commands) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := shell.New(dir, table, quiet())
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return dir
}

func TestSocket(t *testing.T) {
	t.Parallel()
	m, table := newTable(t)
	dir := server(t, table)
	info, err := os.Stat(filepath.Join(dir, shell.SocketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v, want mode 0600", info.Mode(), err)
	}
	client := shell.Client{Dir: dir}
	got, err := client.Do(t.Context(), shell.Request{Lines: []string{`xConfiguration SystemUnit Name: "x"`, "xConfiguration SystemUnit Name", "exit", "xStatus"}})
	if err != nil || len(got.Answers) != 3 || !got.Answers[2].Close {
		t.Fatalf("answers = %+v, %v", got.Answers, err)
	}
	if lines := strings.Join(got.Answers[1].Lines, "|"); lines != `*c xConfiguration SystemUnit Name: "x"|OK` {
		t.Errorf("lines = %s", lines)
	}
	if name, _ := m.saved("SystemUnit Name"); name != "x" {
		t.Errorf("name = %q", name)
	}
	got, err = client.Do(t.Context(), shell.Request{Complete: &shell.Completion{Line: "xSta", Pos: 4}})
	if err != nil || len(got.Candidates) != 1 {
		t.Errorf("candidates = %v, %v", got.Candidates, err)
	}
	got, err = client.Do(t.Context(), shell.Request{Lines: []string{"xCommand Nothing"}})
	if err != nil || got.Answers[0].Error == nil || !got.Answers[0].Error.Usage || got.Answers[0].Error.Code != engine.Invalid {
		t.Errorf("error = %+v, %v", got.Answers, err)
	}
	got, err = client.Do(t.Context(), shell.Request{Call: &shell.Call{Name: "Import", Body: "*c xConfiguration H323 Mode: On\n"}, Via: "import"})
	mode, _ := m.saved("H323 Mode")
	if err != nil || got.Answers[0].Error != nil || mode != "On" {
		t.Errorf("import = %+v, %v, mode %q", got.Answers, err, mode)
	}
}

// TestSocketStays: a connection carries one request after the other, and one
// that waits does not hold up the end.
func TestSocketStays(t *testing.T) {
	t.Parallel()
	_, table := newTable(t)
	conn, err := net.Dial("unix", filepath.Join(server(t, table), shell.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	in := json.NewDecoder(conn)
	for n := range 3 {
		if _, err := io.WriteString(conn, `{"lines":["xStatus Alternates"]}`+"\n"); err != nil {
			t.Fatal(err)
		}
		var response shell.Response
		if err := in.Decode(&response); err != nil || response.Answers[0].Error != nil {
			t.Fatalf("answer %d = %+v, %v", n, response, err)
		}
	}
}

func TestSocketBounds(t *testing.T) {
	t.Parallel()
	_, table := newTable(t)
	dir := server(t, table)
	for _, c := range []struct{ name, send, says string }{
		{"not JSON", "hello\n", "not understood"},
		{"unknown field", `{"shout":true}` + "\n", "not understood"},
		{"too long", `{"lines":["` + strings.Repeat("a", shell.MaxRequest) + `"]}` + "\n", "longer than"},
	} {
		conn, err := net.Dial("unix", filepath.Join(dir, shell.SocketName))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, c.send) // the server may stop reading
		var response shell.Response
		if err := json.NewDecoder(conn).Decode(&response); err != nil || response.Answers[0].Error == nil ||
			!strings.Contains(response.Answers[0].Error.Message, c.says) {
			t.Errorf("%s: %+v, %v, want %q", c.name, response, err, c.says)
		}
		conn.Close()
	}
}

// TestTooManyConnections: idle connections use the places up, and the next
// caller is told.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	_, table := newTable(t)
	dir := server(t, table)
	path := filepath.Join(dir, shell.SocketName)
	for range shell.MaxConnections {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	_, err := shell.Client{Dir: dir}.Do(t.Context(), shell.Request{Lines: []string{"xStatus"}})
	got, err2 := shell.Client{Dir: dir}.Do(t.Context(), shell.Request{Lines: []string{"xStatus"}})
	if err != nil || err2 != nil || got.Answers[0].Error == nil || got.Answers[0].Error.Code != engine.Exhausted {
		t.Errorf("answer = %+v, %v, %v, want exhausted", got, err, err2)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	_, err := shell.Client{Dir: t.TempDir()}.Do(t.Context(), shell.Request{Lines: []string{"xStatus"}})
	if engine.CodeOf(err) != engine.Unavailable || !strings.Contains(err.Error(), "hexad serve") {
		t.Errorf("Do = %v, want unavailable with what to start", err)
	}
}

// TestLongDirectory: a data directory whose path does not fit a socket address.
func TestLongDirectory(t *testing.T) {
	t.Parallel()
	_, table := newTable(t)
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 90), strings.Repeat("e", 60))
	s := shell.New(dir, table, quiet())
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	got, err := shell.Client{Dir: dir}.Do(t.Context(), shell.Request{Lines: []string{"xStatus Alternates"}})
	if err != nil || got.Answers[0].Lines[0] != "*s Alternates: /" {
		t.Errorf("answer = %+v, %v", got, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, shell.SocketName)); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestGather(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lines := make(chan string)
		go func() {
			for _, l := range []string{"*c xConfiguration SIP Mode: On", "", "xStatus", "xConfiguration A: b"} {
				lines <- l
			}
			close(lines)
		}()
		burst, next, more := shell.Gather("*c xConfiguration H323 Mode: On", lines)
		if len(burst) != 3 || next != "xStatus" || !more {
			t.Errorf("burst = %q, next %q", burst, next)
		}
		if burst, _, more := shell.Gather(next, lines); len(burst) != 1 || more {
			t.Errorf("burst = %q", burst)
		}
		if burst, _, more := shell.Gather(<-lines, lines); len(burst) != 1 || more {
			t.Errorf("last burst = %q", burst)
		}
	})
}
