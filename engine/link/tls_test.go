package link_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strconv"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/link"
)

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return authority{cert, key}
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// revocation lists one serial number as revoked.
func (a authority) revocation(t *testing.T, serial int64) []*x509.RevocationList {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(serial), RevocationTime: time.Now()}}}, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return []*x509.RevocationList{list}
}

// issue makes a certificate for a name; change alters the template.
func (a authority) issue(t *testing.T, name string, change func(*x509.Certificate)) (certPEM, keyPEM []byte) {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return a.issueFor(t, key.Public(), key, name, change)
}

func (a authority) credentials(t *testing.T, name string, change func(*x509.Certificate)) *link.Credentials {
	t.Helper()
	cert, key := a.issue(t, name, change)
	return load(t, cert, key)
}

func (a authority) issueFor(t *testing.T, public, private any, name string, change func(*x509.Certificate)) (certPEM, keyPEM []byte) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.ParseIP(name)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if net.ParseIP(name) == nil {
		template.IPAddresses = nil
	} else {
		template.DNSNames = nil
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	priv, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: priv})
}

func load(t *testing.T, certPEM, keyPEM []byte) *link.Credentials {
	t.Helper()
	c, err := link.LoadCredentials(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// intruder opens a TLS session with the given certificate and reports how many
// bytes of an answer it gets to a well-formed request.
func intruder(t *testing.T, from, to string, port int, alpn string, certs []tls.Certificate, version uint16) (int, error) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 3 * time.Second}
	raw, err := d.Dial("tcp", net.JoinHostPort(to, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(3 * time.Second))
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, Certificates: certs, NextProtos: []string{alpn}, MaxVersion: version})
	if err := c.Handshake(); err != nil {
		return 0, err
	}
	request := append([]byte{0, 0, 0, 40}, bytes.Repeat([]byte(" "), 40)...)
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	return c.Read(make([]byte, 1))
}

// TestStrangersGetNothing: in either mode, on either port, whatever they show.
func TestStrangersGetNothing(t *testing.T) {
	t.Parallel()
	ca, foreign := newAuthority(t), newAuthority(t)
	for _, mode := range []engine.TLSMode{engine.Permissive, engine.Enforcing} {
		a, b := start(t, "a", "127.0.0.31"), start(t, "b", "127.0.0.32")
		expired := ca.credentials(t, "127.0.0.33", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		early := ca.credentials(t, "127.0.0.33", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour / 2) })
		revoked := ca.credentials(t, "127.0.0.33", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(99) })
		small, _ := rsa.GenerateKey(rand.Reader, 1024)
		weakCert, weakKey := ca.issueFor(t, small.Public(), small, "127.0.0.33", nil)
		weak := load(t, weakCert, weakKey)
		meet(a, b)
		a.dir.change(func(d *directory) {
			d.self.Mode = mode
			d.self.Trust = link.Trust{Roots: ca.pool(), Revoked: ca.revocation(t, 99)}
			for node, c := range map[string]*link.Credentials{"e": expired, "n": early, "r": revoked, "w": weak} { // pinned, and refused all the same
				d.peers = append(d.peers, link.PeerAddress{Node: node, Address: "127.0.0.33", Fingerprint: c.Fingerprint()})
			}
			d.listed["127.0.0.33"] = "127.0.0.33"
		})
		echo(t, a)
		swapped := pair(t, credentialsFor(t, "127.0.0.32", time.Now())) // b's names, another key
		cases := map[string]struct {
			from    string
			certs   []tls.Certificate
			version uint16
		}{
			"no certificate":    {"127.0.0.32", nil, 0},
			"foreign":           {"127.0.0.34", []tls.Certificate{issued(t, foreign, "127.0.0.34")}, 0},
			"right CA, unknown": {"127.0.0.34", []tls.Certificate{issued(t, ca, "127.0.0.34")}, 0},
			"swapped key":       {"127.0.0.32", []tls.Certificate{swapped}, 0},
			"expired":           {"127.0.0.33", []tls.Certificate{pair(t, expired)}, 0},
			"not yet valid":     {"127.0.0.33", []tls.Certificate{pair(t, early)}, 0},
			"revoked":           {"127.0.0.33", []tls.Certificate{pair(t, revoked)}, 0},
			"RSA 1024":          {"127.0.0.33", []tls.Certificate{pair(t, weak)}, 0},
			"TLS 1.2":           {"127.0.0.32", []tls.Certificate{pair(t, b.link.Credentials())}, tls.VersionTLS12},
		}
		for name, c := range cases {
			for port, protocols := range map[int][]string{
				a.link.Ports().Peer: {"hexad-peer/1", "hexad-raft/1", "h2", "hexad-join/1"},
				a.link.Ports().Raft: {"hexad-raft/1", "hexad-peer/1", "hexad-join/1"},
			} {
				for _, alpn := range protocols {
					if n, err := intruder(t, c.from, a.ip(), port, alpn, c.certs, c.version); n > 0 || err == nil {
						t.Errorf("%s, %s, port %d, %s: got %d bytes, error %v", mode, name, port, alpn, n, err)
					}
				}
			}
		}
	}
}

// pair is the form of credentials that a client shows. A stolen certificate
// without its key cannot be shown at all: TLS proves the key.
func pair(t *testing.T, c *link.Credentials) tls.Certificate {
	t.Helper()
	return link.TLSCertificate(c)
}

func issued(t *testing.T, a authority, name string) tls.Certificate {
	t.Helper()
	return pair(t, a.credentials(t, name, nil))
}

// TestStolenCertificate: b's certificate without b's key ends the handshake.
func TestStolenCertificate(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.35"), start(t, "b", "127.0.0.36")
	meet(a, b)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	stolen := tls.Certificate{Certificate: [][]byte{b.link.Credentials().Certificate().Raw}, PrivateKey: key}
	for _, port := range []int{a.link.Ports().Peer, a.link.Ports().Raft} {
		if n, err := intruder(t, b.ip(), a.ip(), port, "hexad-peer/1", []tls.Certificate{stolen}, 0); n > 0 || err == nil {
			t.Errorf("port %d: got %d bytes, error %v", port, n, err)
		}
	}
}

// TestEnforcing: the pin holds in both modes; names and chains count in one.
func TestEnforcing(t *testing.T) {
	t.Parallel()
	ca, foreign := newAuthority(t), newAuthority(t)
	tests := []struct {
		name string
		from authority
		cn   string
		also func(*x509.Certificate)
		ok   bool
	}{
		{"right", ca, "127.0.0.38", nil, true},
		{"wrong name", ca, "wrong.example", nil, false},
		{"foreign CA", foreign, "127.0.0.38", nil, false},
		{"no client usage", ca, "127.0.0.38", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, false},
	}
	for _, test := range tests {
		for _, mode := range []engine.TLSMode{engine.Permissive, engine.Enforcing} {
			t.Run(test.name+" "+string(mode), func(t *testing.T) {
				a := start(t, "a", "127.0.0.37", with(ca.credentials(t, "127.0.0.37", nil)))
				b := start(t, "b", "127.0.0.38", with(test.from.credentials(t, test.cn, test.also)))
				echo(t, a)
				echo(t, b)
				for _, p := range []*peer{a, b} {
					p.dir.change(func(d *directory) {
						d.self.Mode, d.self.Trust.Roots = mode, ca.pool()
						d.peers = []link.PeerAddress{
							{Node: "a", Address: "127.0.0.37", Fingerprint: a.link.Credentials().Fingerprint(), Ports: a.link.Ports()},
							{Node: "b", Address: "127.0.0.38", Fingerprint: b.link.Credentials().Fingerprint(), Ports: b.link.Ports()}}
					})
				}
				_, err := dialRaft(b, a)
				if want := test.ok || mode == engine.Permissive; (err == nil) != want {
					t.Errorf("accept: %v, want success %v", err, want)
				}
				c := a.reported("the contact", func(c link.Contact) bool { return c.Direction == link.Inbound })
				if c.Certificate.Valid != test.ok || (c.Certificate.Reason == "") != test.ok {
					t.Errorf("certificate %+v, want valid %v in either mode", c.Certificate, test.ok)
				}
				if test.also != nil {
					return // a server certificate is all that dialling asks for
				}
				_, err = dialRaft(a, b)
				if want := test.ok || mode == engine.Permissive; (err == nil) != want {
					t.Errorf("dial: %v, want success %v", err, want)
				}
			})
		}
	}
}

func with(c *link.Credentials) func(*link.Config) {
	return func(cfg *link.Config) { cfg.Credentials = c }
}

// TestChangedKey: refused on both ports and both ways, until it is accepted.
func TestChangedKey(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.39"), start(t, "b", "127.0.0.40")
	meet(a, b)
	echo(t, a)
	old := b.link.Credentials().Fingerprint()
	b.link.SetCredentials(credentialsFor(t, b.ip(), time.Now()))
	_, err := dialRaft(b, a)
	wantRefusal(t, err, link.RefusedThere)
	c := a.refusal(link.Inbound, link.KeyChanged)
	if c.Address != b.ip() || c.Certificate.Fingerprint == old || c.Certificate.Fingerprint == "" {
		t.Errorf("contact %+v does not name the address and the new key", c)
	}
	_, err = dialRaft(a, b)
	wantRefusal(t, err, link.KeyChanged)
	_, err = b.link.Join(t.Context(), link.JoinRequest{Address: a.ip(), Port: a.link.Ports().Peer, Side: link.JoinSide{Node: "b"}})
	wantRefusal(t, err, link.RefusedThere)

	meet(a, b) // the administrator accepts the new key
	if _, err = dialRaft(b, a); err != nil {
		t.Errorf("after accepting: %v", err)
	}
}

// TestSuccession: a key that the pinned one vouches for is let on, on both ways,
// also when several followed one another; once it is pinned itself the ones before
// are not. What anything else signed vouches for nothing.
func TestSuccession(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.58"), start(t, "b", "127.0.0.59")
	meet(a, b)
	echo(t, a)
	echo(t, b)
	next := func(node string, before *link.Credentials) *link.Credentials {
		cert, key, err := link.NewCredentials([]string{"b.example.com"}, []net.IP{net.ParseIP(b.ip())}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if cert, err = link.Succeed(node, before, cert); err != nil {
			t.Fatal(err)
		}
		c, err := link.LoadCredentials(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	pinned := func(c *link.Credentials) {
		a.dir.change(func(d *directory) {
			for i := range d.peers {
				if d.peers[i].Node == "b" {
					d.peers[i].Fingerprint = c.Fingerprint()
				}
			}
		})
		a.link.Recheck()
	}
	dialled := func(c *link.Credentials, known bool) {
		t.Helper()
		b.link.SetCredentials(c)
		_, err := dialRaft(b, a)
		_, back := dialRaft(a, b)
		if known && (err != nil || back != nil) {
			t.Errorf("with %.8s: %v, %v", c.Fingerprint(), err, back)
		}
		if !known {
			wantRefusal(t, err, link.RefusedThere)
			wantRefusal(t, back, link.KeyChanged)
		}
	}
	first := b.link.Credentials()
	second := next("b", first)
	third := next("b", second)
	dialled(second, true)
	a.link.Recheck()
	if a.link.Connections("b") == 0 {
		t.Error("a connection with a key that is vouched for was dropped")
	}
	dialled(third, true)
	dialled(next("c", first), false)
	dialled(next("b", credentialsFor(t, b.ip(), time.Now())), false)
	pinned(third)
	dialled(third, true)
	dialled(first, false)
	dialled(second, false)
	late := third
	for range 5 {
		late = next("b", late)
	}
	dialled(late, false) // more than four keys later
	pinned(first)
	dialled(next("b", first), true)
}

// TestSharedCertificate: several peers with one certificate are told apart by
// their hello.
func TestSharedCertificate(t *testing.T) {
	t.Parallel()
	shared := credentialsFor(t, "127.0.0.41", time.Now())
	a, b, c := start(t, "a", "127.0.0.41", with(shared)), start(t, "b", "127.0.0.42", with(shared)), start(t, "c", "127.0.0.43", with(shared))
	for _, p := range []*peer{a, b, c} {
		echo(t, p)
		p.dir.change(func(d *directory) {
			for i, q := range []*peer{a, b, c} {
				ip := "127.0.0." + strconv.Itoa(41+i)
				d.listed[ip] = ip
				d.peers = append(d.peers, link.PeerAddress{Node: q.node, Address: ip, Fingerprint: shared.Fingerprint(), Ports: q.link.Ports()})
			}
		})
	}
	for _, pair := range [][2]*peer{{a, b}, {b, c}, {c, a}} {
		conn, err := dialRaft(pair[0], pair[1])
		if err != nil {
			t.Fatalf("%s to %s: %v", pair[0].node, pair[1].node, err)
		}
		wantEcho(t, conn)
		if got := pair[1].link.Connections(pair[0].node); got != 1 {
			t.Errorf("%s has %d connections of %s", pair[1].node, got, pair[0].node)
		}
	}
}

// TestReplayedHello: a hello recorded on one session is worthless on another,
// even for the holder of the same key.
func TestReplayedHello(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.44"), start(t, "b", "127.0.0.45")
	meet(a, b)
	echo(t, a)
	// A false a with b's pin records what the true b says.
	recorded := make(chan []byte, 1)
	ln, err := tls.Listen("tcp", "127.0.0.46:0", &tls.Config{Certificates: []tls.Certificate{pair(t, a.link.Credentials())},
		ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"hexad-raft/1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		head := make([]byte, 4)
		io.ReadFull(c, head)
		body := make([]byte, int(head[2])<<8|int(head[3]))
		io.ReadFull(c, body)
		recorded <- append(head, body...)
	}()
	b.dir.change(func(d *directory) {
		d.peers[0].Address = "127.0.0.46"
		d.peers[0].Ports.Raft = ln.Addr().(*net.TCPAddr).Port
	})
	dialRaft(b, a)
	hello := <-recorded
	raw, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(b.ip())}}).Dial("tcp", net.JoinHostPort(a.ip(), strconv.Itoa(a.link.Ports().Raft)))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair(t, b.link.Credentials())}, NextProtos: []string{"hexad-raft/1"}})
	if _, err := c.Write(hello); err != nil {
		t.Fatal(err)
	}
	answer, _, _, err := link.ReadHello(c)
	if err != nil || answer.Refusal != link.WrongSecret {
		t.Errorf("answer %+v, %v; want refusal %q", answer, err, link.WrongSecret)
	}
}

func TestCheckCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	good, key := ca.issue(t, "peer1.example", nil)
	_, otherKey := ca.issue(t, "peer1.example", nil)
	noClient, noClientKey := ca.issue(t, "peer1.example", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] })
	old, oldKey := ca.issue(t, "peer1.example", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	for _, test := range []struct {
		name      string
		cert, key []byte
		want      engine.Code
	}{
		{"good", good, key, ""},
		{"key of another", good, otherKey, engine.Invalid},
		{"no client usage", noClient, noClientKey, engine.Invalid},
		{"expired", old, oldKey, engine.Invalid},
		{"no PEM", []byte("x"), key, engine.Invalid},
		{"empty", nil, nil, engine.Invalid},
	} {
		facts, err := link.CheckCertificate(test.cert, test.key, link.Trust{Roots: ca.pool()}, time.Now())
		if engine.CodeOf(err) != test.want {
			t.Errorf("%s: %v, want code %q", test.name, err, test.want)
		}
		if test.want == "" && (!facts.Chain || !facts.Valid || facts.CN != "peer1.example") {
			t.Errorf("%s: facts %+v", test.name, facts)
		}
	}
	facts, err := link.CheckCertificate(good, key, link.Trust{}, time.Now())
	if err != nil || facts.Chain || facts.Reason == "" {
		t.Errorf("without the CA: %+v, %v; want a chain that fails and no refusal", facts, err)
	}
}

// TestRenewKeepsThePin: a certificate made anew for the same key is the same
// peer to the others.
func TestRenewKeepsThePin(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cert, key, err := link.NewCredentials([]string{"p1", "p1.example"}, []net.IP{net.ParseIP("127.0.0.1")}, now)
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, cert, key)
	leaf := c.Certificate()
	if leaf.Subject.CommonName != "p1" || leaf.NotAfter.Sub(now).Round(time.Hour) != link.Lifetime || len(leaf.ExtKeyUsage) != 2 || len(leaf.DNSNames) != 2 {
		t.Errorf("certificate %+v", leaf)
	}
	again, err := link.RenewCertificate(key, []string{"p1"}, nil, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got := load(t, again, key).Fingerprint(); got != c.Fingerprint() {
		t.Errorf("fingerprint %s, was %s", got, c.Fingerprint())
	}
}
