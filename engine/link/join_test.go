package link_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/link"
)

// primary is a JoinHandler that decides by FirstContact alone.
type primary struct {
	mu       sync.Mutex
	side     link.JoinSide
	reopened bool
	refuse   error
	pinned   map[string]string // node -> fingerprint
	asked    []link.JoinSide
}

func (p *primary) Decide(_ context.Context, asker link.JoinSide) (link.JoinSide, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, asker)
	if p.refuse != nil {
		return link.JoinSide{}, p.refuse
	}
	return p.side, link.FirstContact{Mine: p.side, Theirs: asker, Reopened: p.reopened}.Judge()
}

func (p *primary) Admit(_ context.Context, asker link.JoinSide) (link.Grant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pinned[asker.Node] = asker.Fingerprint
	return link.Grant{Cluster: "c1", Secret: secret, Generation: engine.Generation{Number: 3, ID: "g3"},
		Members: []engine.Member{{Node: "p", Fingerprint: "f"}}}, nil
}

func (p *primary) admitted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pinned)
}

// couple is a primary p and a joiner j that list each other.
type couple struct {
	p, j    *peer
	handler *primary
	pins    []link.JoinSide // what the joiner pinned
	request link.JoinRequest
}

func newCouple(t *testing.T, base int) *couple {
	t.Helper()
	pIP, jIP := "127.0.0."+strconv.Itoa(base), "127.0.0."+strconv.Itoa(base+1)
	page := engine.Clustering{Name: "hexad", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive, Peers: []string{pIP, jIP}}
	c := &couple{handler: &primary{pinned: map[string]string{}}}
	c.handler.side = link.JoinSide{Node: "p", Release: "1.0.0", Role: engine.Core, Page: page, SavedAge: time.Hour, Address: pIP}
	c.p = start(t, "p", pIP, func(cfg *link.Config) { cfg.Joins = c.handler })
	c.j = start(t, "j", jIP)
	c.j.dir.change(func(d *directory) { d.self.Cluster, d.self.Secret = "", nil; d.listed[pIP] = pIP })
	c.p.dir.change(func(d *directory) { d.listed[jIP] = jIP })
	facts, _ := json.Marshal(engine.Facts{Node: "j", Release: "1.0.0"})
	c.request = link.JoinRequest{Address: pIP, Port: c.p.link.Ports().Peer,
		Side: link.JoinSide{Node: "j", Release: "1.0.0", Role: engine.Core, Page: page, SavedAge: time.Minute, Facts: facts},
		Decide: func(_ context.Context, s link.JoinSide) error {
			mine := c.request.Side
			mine.Address = jIP
			return link.FirstContact{Mine: mine, Theirs: s}.Judge()
		},
		Pin: func(_ context.Context, s link.JoinSide) error { c.pins = append(c.pins, s); return nil },
	}
	return c
}

func (c *couple) token(t *testing.T) string {
	t.Helper()
	token, err := c.p.link.Tokens().Issue(c.p.link.Credentials().Fingerprint())
	if err != nil {
		t.Fatal(err)
	}
	return token.Text
}

func TestJoin(t *testing.T) {
	t.Parallel()
	c := newCouple(t, 51)
	grant, err := c.j.link.Join(t.Context(), c.request)
	if err != nil {
		t.Fatal(err)
	}
	if grant.Cluster != "c1" || string(grant.Secret) != string(secret) || grant.Generation.ID != "g3" || len(grant.Members) != 1 {
		t.Errorf("grant %+v", grant)
	}
	if got, want := c.handler.pinned["j"], c.j.link.Credentials().Fingerprint(); got != want {
		t.Errorf("the primary pinned %s, want %s", got, want)
	}
	if len(c.pins) != 1 || c.pins[0].Fingerprint != c.p.link.Credentials().Fingerprint() || c.pins[0].Node != "p" {
		t.Errorf("the joiner pinned %+v", c.pins)
	}
	asked := c.handler.asked[0]
	if asked.RemoteIP != c.j.ip() || asked.Address != c.j.ip() || asked.Token || asked.Pinned || !strings.Contains(string(asked.Facts), `"node":"j"`) {
		t.Errorf("asker %+v", asked)
	}
	in := c.p.reported("the join", func(x link.Contact) bool { return x.Purpose == link.PurposeJoin && x.Err == nil })
	if in.Node != "j" || in.Address != c.j.ip() || in.Certificate.Fingerprint != c.j.link.Credentials().Fingerprint() {
		t.Errorf("contact %+v", in)
	}
	// The grant was lost on its way: the same peer asks again, long after.
	meet(c.p, c.j)
	c.request.Side.SavedAge = 2 * time.Hour
	if _, err := c.j.link.Join(t.Context(), c.request); err != nil {
		t.Errorf("joining again: %v", err)
	}
	if !c.handler.asked[1].Pinned {
		t.Error("the second time the key was pinned")
	}
}

// TestJoinRefused: nothing is granted, nothing is pinned by the side that
// refuses, and the joiner learns why.
func TestJoinRefused(t *testing.T) {
	t.Parallel()
	finding := engine.Finding{ID: "cluster.config.h323_mode_off", Severity: engine.FindingError, Text: engine.Text{EN: "on", JA: "オン"}}
	tests := []struct {
		name   string
		change func(*couple)
		code   engine.Code
		says   string
	}{
		{"window over", func(c *couple) { c.request.Side.SavedAge = 11 * time.Minute }, engine.Denied, "later of both saves"},
		{"joiner not in the primary's list", func(c *couple) { c.handler.side.Page.Peers = c.handler.side.Page.Peers[:1] }, engine.Denied, "peer list"},
		{"primary not in the joiner's list", func(c *couple) { c.request.Side.Page.Peers = c.request.Side.Page.Peers[1:] }, engine.Denied, "peer list"},
		{"other name", func(c *couple) { c.request.Side.Page.Name = "other" }, engine.Conflict, "cluster names differ"},
		{"other IP version", func(c *couple) { c.request.Side.Page.IPVersion = "IPv6" }, engine.Conflict, "IP versions differ"},
		{"other primary", func(c *couple) { c.request.Side.Page.Primary = 2 }, engine.Conflict, "primaries differ"},
		{"a rule", func(c *couple) {
			c.handler.refuse = &engine.Error{Code: engine.Denied, Message: "the rules refuse", Remedy: "do so", Item: "H323 Mode", Findings: []engine.Finding{finding}}
		}, engine.Denied, "the rules refuse"},
		{"a fault", func(c *couple) { c.handler.refuse = errors.New("disk full in /var/lib") }, engine.Internal, "could not decide"},
		{"own node id", func(c *couple) { c.request.Side.Node = "p" }, engine.Conflict, "cannot join"},
		{"the joiner changes its mind", func(c *couple) {
			c.request.Decide = func(context.Context, link.JoinSide) error { return engine.Errorf(engine.Denied, "not this one") }
		}, engine.Denied, "not this one"},
		{"the joiner cannot store the pin", func(c *couple) {
			c.request.Pin = func(context.Context, link.JoinSide) error { return engine.Errorf(engine.Unavailable, "disk full") }
		}, engine.Unavailable, "disk full"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCouple(t, 53)
			test.change(c)
			grant, err := c.j.link.Join(t.Context(), c.request)
			if got := engine.CodeOf(err); got != test.code || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "/var/lib") {
				t.Errorf("error %v (%s), want %s saying %q", err, got, test.code, test.says)
			}
			if len(grant.Secret) != 0 || c.handler.admitted() != 0 {
				t.Error("something was granted")
			}
			c.p.refusal(link.Inbound, link.JoinRefused)
			if test.name == "a rule" {
				var e *engine.Error
				if !errors.As(err, &e) || len(e.Findings) != 1 || e.Findings[0].ID != finding.ID || e.Item != "H323 Mode" || e.Remedy != "do so" {
					t.Errorf("the findings did not arrive: %+v", e)
				}
			}
		})
	}
}

func TestJoinWindowReopened(t *testing.T) {
	t.Parallel()
	c := newCouple(t, 55)
	c.request.Side.SavedAge = 11 * time.Minute
	c.handler.reopened = true
	if _, err := c.j.link.Join(t.Context(), c.request); err == nil || c.handler.admitted() != 0 {
		t.Errorf("one side alone opened the window: %v", err)
	}
	decide := c.request.Decide
	c.request.Decide = func(ctx context.Context, s link.JoinSide) error { s.SavedAge = 0; return decide(ctx, s) }
	if _, err := c.j.link.Join(t.Context(), c.request); err != nil {
		t.Errorf("both sides opened it again: %v", err)
	}
}

func TestJoinToken(t *testing.T) {
	t.Parallel()
	c := newCouple(t, 57)
	c.request.Side.SavedAge = 24 * time.Hour
	token := c.token(t)
	c.request.Token = strings.ToLower(token[:20]) + "\n  " + token[20:] // as pasted from a mail

	c.handler.refuse = engine.Errorf(engine.Denied, "not yet")
	if _, err := c.j.link.Join(t.Context(), c.request); engine.CodeOf(err) != engine.Denied {
		t.Fatalf("refused join: %v", err)
	}
	waitFor(t, "the refused join to give the token back", func() bool { return c.p.link.Tokens().Waiting() == 1 })
	c.handler.refuse = nil
	if _, err := c.j.link.Join(t.Context(), c.request); err != nil {
		t.Fatalf("with a token long after the save: %v", err)
	}
	if !c.handler.asked[1].Token || !c.pins[0].Token {
		t.Error("the token was not told to those who decide")
	}
	waitFor(t, "the token to be used up", func() bool { return c.p.link.Tokens().Waiting() == 0 })
	if _, err := c.j.link.Join(t.Context(), c.request); engine.CodeOf(err) != engine.Denied || !strings.Contains(err.Error(), "join token") {
		t.Errorf("the token worked twice: %v", err)
	}
	other, _ := c.p.link.Tokens().Issue(c.j.link.Credentials().Fingerprint())
	c.request.Token = other.Text
	_, err := c.j.link.Join(t.Context(), c.request)
	wantRefusal(t, err, link.KeyChanged) // somebody else answers at the primary's address
	c.request.Token = "hexad1-nonsense"
	if _, err := c.j.link.Join(t.Context(), c.request); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("nonsense: %v", err)
	}
	if c.handler.admitted() != 1 {
		t.Errorf("%d admitted, want 1", c.handler.admitted())
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tokens link.Tokens
		fingerprint := strings.Repeat("ab", 32)
		token, err := tokens.Issue(fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		message := []byte("this session")
		proof, err := link.Prove(token.Text, message)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tokens.Redeem(proof, []byte("another session")); ok {
			t.Error("a proof worked on another session")
		}
		done, ok := tokens.Redeem(proof, message)
		if !ok {
			t.Fatal("a good proof was refused")
		}
		if _, ok := tokens.Redeem(proof, message); ok {
			t.Error("a token in use worked a second time")
		}
		done(false)
		time.Sleep(link.TokenLife - time.Second)
		if done, ok = tokens.Redeem(proof, message); !ok {
			t.Fatal("refused within its life")
		}
		done(false)
		time.Sleep(time.Second)
		if _, ok := tokens.Redeem(proof, message); ok {
			t.Error("worked after its life")
		}
		for range 16 {
			if _, err := tokens.Issue(fingerprint); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tokens.Issue(fingerprint); engine.CodeOf(err) != engine.Exhausted {
			t.Errorf("the seventeenth: %v", err)
		}
		tokens.Revoke()
		if tokens.Waiting() != 0 {
			t.Error("revoked tokens wait")
		}
	})
}

// TestCandidateMayOnlyJoin: a listed address with a key that nobody pinned gets
// neither requests nor Raft, and an unlisted one no join either.
func TestCandidateMayOnlyJoin(t *testing.T) {
	t.Parallel()
	c := newCouple(t, 59)
	c.j.dir.change(func(d *directory) { // the joiner believes that it is a member
		d.self.Cluster, d.self.Secret = "c1", secret
		d.peers = []link.PeerAddress{c.p.address()}
	})
	echo(t, c.p)
	_, err := dialRaft(c.j, c.p)
	wantRefusal(t, err, link.RefusedThere)
	c.p.refusal(link.Inbound, link.NotPinned)
	if _, err = c.j.link.Client("p").Get("http://peer/"); err == nil {
		t.Error("a candidate was served")
	}
	wantRefusal(t, err, link.RefusedThere)
	// What follows on a join session is a join or its end.
	own := link.TLSCertificate(c.j.link.Credentials())
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.j.ip())}}
	raw, err := tls.DialWithDialer(&d, "tcp", net.JoinHostPort(c.p.ip(), strconv.Itoa(c.p.link.Ports().Peer)),
		&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}, NextProtos: []string{"hexad-join/1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := raw.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := raw.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("a candidate got %d bytes of HTTP", n)
	}
	c.p.refusal(link.Inbound, link.Malformed)
	c.p.dir.change(func(d *directory) { clear(d.listed) })
	_, err = c.j.link.Join(t.Context(), c.request)
	wantRefusal(t, err, link.RefusedThere)
	c.p.refusal(link.Inbound, link.NotListed)
	if len(c.handler.asked) != 0 {
		t.Error("an unlisted system was heard")
	}
}

// TestJoinEnforcing: while Enforcing, first contact needs a certificate that
// verifies and names the peer, on both sides.
func TestJoinEnforcing(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	for _, test := range []struct {
		name   string
		p, j   string // names in the certificates; "" keeps the self-signed one
		want   link.Refusal
		inward link.Refusal
	}{
		{"both named", "127.0.0.61", "127.0.0.62", "", ""},
		{"joiner self-signed", "127.0.0.61", "", link.RefusedThere, link.BadCertificate},
		{"joiner misnamed", "127.0.0.61", "other.example", link.RefusedThere, link.BadCertificate},
		{"primary self-signed", "", "127.0.0.62", link.BadCertificate, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCouple(t, 61)
			for _, side := range []struct {
				peer *peer
				name string
			}{{c.p, test.p}, {c.j, test.j}} {
				side.peer.dir.change(func(d *directory) { d.self.Mode, d.self.Trust.Roots = engine.Enforcing, ca.pool() })
				if side.name != "" {
					side.peer.link.SetCredentials(ca.credentials(t, side.name, nil))
				}
			}
			_, err := c.j.link.Join(t.Context(), c.request)
			wantRefusal(t, err, test.want)
			if test.inward != "" {
				c.p.refusal(link.Inbound, test.inward)
			}
			if got, want := c.handler.admitted() == 1, test.want == ""; got != want {
				t.Errorf("admitted %v, want %v", got, want)
			}
		})
	}
}

// TestJoinThroughAMiddle: with a token, a system between the two that holds
// keys of its own is found by the joiner, whom it cannot show the primary's key.
func TestJoinThroughAMiddle(t *testing.T) {
	t.Parallel()
	c := newCouple(t, 63)
	middle := start(t, "m", "127.0.0.65", func(cfg *link.Config) { cfg.Joins = c.handler })
	middle.dir.change(func(d *directory) { d.listed[c.j.ip()] = c.j.ip() })
	c.request.Token = c.token(t)
	c.j.dir.change(func(d *directory) { d.resolve = map[string]string{c.p.ip(): middle.ip()} })
	c.request.Port = middle.link.Ports().Peer
	_, err := c.j.link.Join(t.Context(), c.request)
	wantRefusal(t, err, link.KeyChanged)
	if c.handler.admitted() != 0 || len(c.pins) != 0 {
		t.Error("something was pinned")
	}
}
