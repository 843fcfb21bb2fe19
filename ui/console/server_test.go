package console_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"hexad/ui/console"
)

// start serves a's console and returns its URL.
func start(t *testing.T, a *appliance) string {
	t.Helper()
	s, err := console.New(a.options(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	return "https://" + s.Addr().String()
}

// client is a browser without scripts.
type client struct {
	t    *testing.T
	base string
	http *http.Client
}

func newClient(t *testing.T, base string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{t, base, &http.Client{Jar: jar, Transport: transport}}
}

// signedIn is a client with a session of account.
func signedIn(t *testing.T, base, account string) *client {
	t.Helper()
	c := newClient(t, base)
	if status, body := c.post("/sign-in", "account", account, "password", password); status != http.StatusOK {
		t.Fatalf("sign in as %s: %d\n%s", account, status, body)
	}
	return c
}

func (c *client) do(r *http.Request) (*http.Response, string) {
	c.t.Helper()
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res, string(body)
}

func (c *client) get(path string) (int, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	res, body := c.do(r)
	return res.StatusCode, body
}

func (c *client) request(path string, pairs ...string) *http.Request {
	c.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// post sends a form, given as name, value pairs, and follows where it leads.
func (c *client) post(path string, pairs ...string) (int, string) {
	c.t.Helper()
	res, body := c.do(c.request(path, pairs...))
	return res.StatusCode, body
}

// holds fails when text is not in body.
func holds(t *testing.T, body, text string) {
	t.Helper()
	if !strings.Contains(body, text) {
		t.Errorf("the page lacks %q:\n%s", text, body)
	}
}
