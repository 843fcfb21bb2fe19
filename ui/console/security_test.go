package console_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/ui/console"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	base := start(t, a)
	c := newClient(t, base)
	if _, body := c.get("/clustering?x=1"); !strings.Contains(body, `name="next" value="/clustering?x=1"`) {
		t.Errorf("the sign-in page forgets where one wanted to go:\n%s", body)
	}
	status, body := c.post("/sign-in", "account", "admin", "password", "wrong")
	if status != http.StatusUnauthorized {
		t.Errorf("a wrong password: status %d, want 401", status)
	}
	holds(t, body, "Account or password is wrong.")
	if status, _ = c.post("/sign-in", "account", "nobody", "password", password); status != http.StatusUnauthorized {
		t.Errorf("no such account: status %d, want 401", status)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`} {
		res, _ := noRedirect(t, c, c.request("/sign-in", "account", "admin", "password", password, "next", next))
		if got := res.Header.Get("Location"); got != "/" {
			t.Errorf("next=%q leads to %q, want /", next, got)
		}
		cookie := res.Header.Get("Set-Cookie")
		for _, want := range []string{"__Host-", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"} {
			if !strings.Contains(cookie, want) {
				t.Errorf("the session's cookie lacks %s: %s", want, cookie)
			}
		}
		for _, s := range a.sessions {
			if strings.Contains(cookie, s.ID) || len(s.ID) != 64 {
				t.Errorf("the session is stored under %q, want the SHA-256 of its token", s.ID)
			}
		}
	}
	if status, _ = c.post("/sign-out"); status != http.StatusOK {
		t.Errorf("sign out: status %d", status)
	}
	if _, body = c.get("/"); !strings.Contains(body, `action="/sign-in"`) {
		t.Errorf("signed out, and still in:\n%s", body)
	}
	want := []string{"Admin Session Login Failure admin 127.0.0.1", "Admin Session Login Failure nobody 127.0.0.1", "Admin Session Start admin 127.0.0.1"}
	for i, w := range want {
		if i >= len(a.told) || a.told[i] != w {
			t.Errorf("session events = %q, want %q first", a.told, want)
			break
		}
	}
}

func noRedirect(t *testing.T, c *client, r *http.Request) (*http.Response, string) {
	t.Helper()
	once := *c.http
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return (&client{t, c.base, &once}).do(r)
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := newClient(t, start(t, a))
	statuses := map[int]int{}
	for range 8 {
		status, body := c.post("/sign-in", "account", "admin", "password", "wrong")
		statuses[status]++
		if status == http.StatusTooManyRequests {
			holds(t, body, "Too many failures. Wait")
		}
	}
	if statuses[http.StatusTooManyRequests] == 0 || statuses[http.StatusUnauthorized] < 5 {
		t.Errorf("eight wrong passwords in a row were answered %v, want 401 five times and then 429", statuses)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*appliance, *console.Session)
	}{
		{"idle for half an hour", func(_ *appliance, s *console.Session) { s.Seen = s.Seen.Add(-31 * time.Minute) }},
		{"twelve hours old", func(_ *appliance, s *console.Session) { s.Started = s.Started.Add(-12*time.Hour - time.Second) }},
		{"another password", func(_ *appliance, s *console.Session) { s.Password = "changed" }},
		{"the account is gone", func(a *appliance, _ *console.Session) { delete(a.accounts, "admin") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAppliance()
			c := signedIn(t, start(t, a), "admin")
			if _, body := c.get("/"); !strings.Contains(body, "At a glance") {
				t.Fatalf("not signed in:\n%s", body)
			}
			a.change(func() {
				for id, s := range a.sessions {
					tt.change(a, &s)
					a.sessions[id] = s
				}
			})
			if _, body := c.get("/"); !strings.Contains(body, `action="/sign-in"`) {
				t.Errorf("the session goes on:\n%s", body)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if len(a.sessions) > 0 {
				t.Error("the ended session is still stored")
			}
		})
	}
}

func TestOtherSitesCanChangeNothing(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	for _, tt := range []struct{ header, value string }{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		r := c.request("/restart")
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set(tt.header, tt.value)
		if res, _ := c.do(r); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s: status %d, want 403", tt.header, tt.value, res.StatusCode)
		}
	}
	if call := a.lastCall(); call.Name != "" {
		t.Errorf("%s ran all the same", call.Name)
	}
	if status, _ := newClient(t, c.base).post("/restart"); status != http.StatusOK || a.lastCall().Name != "" {
		t.Errorf("without a session: status %d, ran %q", status, a.lastCall().Name)
	}
}

func TestHeadersAndLimits(t *testing.T) {
	t.Parallel()
	c := signedIn(t, start(t, newAppliance()), "admin")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, body := c.do(r)
	for name, want := range map[string]string{"Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'",
		"Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Language": "en"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+attribute(t, body, `rel="stylesheet" href="`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, _ = c.do(r); res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/css") {
		t.Errorf("style sheet: %d %v", res.StatusCode, res.Header)
	}
	if status, _ := c.post("/clustering", "name", strings.Repeat("x", 2<<20)); status != http.StatusUnprocessableEntity {
		t.Errorf("a form of 2 MiB: status %d, want 422", status)
	}
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(c.base, "https://"), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is accepted")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := newClient(t, start(t, a))
	if status, body := c.get("/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz = %d %q", status, body)
	}
	if status, body := c.get("/readyz"); status != http.StatusOK || body != "ready\n" {
		t.Errorf("/readyz = %d %q", status, body)
	}
	a.change(func() { a.ready = []string{"the database is not open", "no leader"} })
	if status, body := c.get("/readyz"); status != http.StatusServiceUnavailable || body != "the database is not open\nno leader\n" {
		t.Errorf("/readyz of a peer that does not serve = %d %q", status, body)
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	base := start(t, newAppliance())
	for accept, want := range map[string]string{"": "en", "ja": "ja", "ja-JP,ja;q=0.9,en;q=0.5": "ja", "fr, ja;q=0.3": "ja", "de": "en", "en-GB": "en", "not a language;;": "en"} {
		c := newClient(t, base)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/sign-in", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", accept)
		if res, _ := c.do(r); res.Header.Get("Content-Language") != want {
			t.Errorf("Accept-Language %q gives %q, want %q", accept, res.Header.Get("Content-Language"), want)
		}
		if _, body := c.post("/language", "language", "ja", "here", "/sign-in"); !strings.Contains(body, `<html lang="ja">`) {
			t.Errorf("the choice of Japanese is not kept:\n%s", body)
		}
	}
}

// live opens a live stream and returns its lines.
func live(t *testing.T, c *client, topics string) (<-chan string, *http.Response) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/live?here=%2Fclustering&topics="+topics, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() { cancel(); res.Body.Close() })
	return lines, res
}

// until reads lines until one holds text.
func until(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("the stream ended before %q", text)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("no %q in 10 s", text)
		}
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	lines, res := live(t, c, "peer4+alarmbar+unknown")
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type = %q", got)
	}
	until(t, lines, "event: peer4")
	until(t, lines, "Failed")
	until(t, lines, "event: alarmbar")
	a.change(func() { a.view.Peers[3].State, a.view.Peers[3].Cause = engine.PeerActive, "" })
	until(t, lines, "event: peer4")
	until(t, lines, "Active")
	if _, res := live(t, newClient(t, c.base), "peers"); res.StatusCode != http.StatusForbidden {
		t.Errorf("a live stream without a session: status %d, want 403", res.StatusCode)
	}
}

func TestLiveStreamsAreBounded(t *testing.T) {
	t.Parallel()
	c := signedIn(t, start(t, newAppliance()), "admin")
	for i := range 13 {
		_, res := live(t, c, "alarmbar")
		want := http.StatusOK
		if i == 12 {
			want = http.StatusTooManyRequests
		}
		if res.StatusCode != want {
			t.Errorf("stream %d: status %d, want %d", i+1, res.StatusCode, want)
		}
	}
}
