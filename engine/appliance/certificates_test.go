package appliance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/engine/link"
	"hexad/sqlstore"
	commands "hexad/ui/command"
)

// issuer is a certificate authority that issues what it is asked for.
type issuer struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{t, key, cert}
}

func (i issuer) root() string { return encoded("CERTIFICATE", i.cert.Raw) }

func encoded(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

var bothUses = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}

// issue makes a certificate for a key, valid from and until days from now.
func (i issuer) issue(public any, names []string, ips []net.IP, uses []x509.ExtKeyUsage, from, until float64) string {
	i.t.Helper()
	at := func(days float64) time.Time { return time.Now().Add(time.Duration(days * 24 * float64(time.Hour))) }
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "peer"}, DNSNames: names, IPAddresses: ips,
		NotBefore: at(from), NotAfter: at(until), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: uses}
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, public, i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return encoded("CERTIFICATE", der)
}

// requested asks a peer for a signing request.
func requested(t *testing.T, p *appliancetest.Peer, key string) *x509.CertificateRequest {
	t.Helper()
	var out struct {
		Request string `json:"request"`
	}
	answered(t, p, "CertificateRequest", map[string]string{"Key": key, "Names": "extra.example.com"}, &out)
	block, _ := pem.Decode([]byte(out.Request))
	if block == nil || strings.Contains(out.Request, "PRIVATE") {
		t.Fatalf("request is %q", out.Request)
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = request.CheckSignature()
	}
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func certified(p *appliancetest.Peer, pem string, args map[string]string) (out commands.CertificateChecked, err error) {
	reply, err := p.Call("ServerCertificateSet", pem, args)
	if err == nil {
		err = reply.Error.Err()
	}
	if reply.Error != nil {
		return out, reply.Error.Err()
	}
	if err != nil {
		return out, err
	}
	result := struct {
		Data *commands.CertificateChecked `json:"data"`
	}{&out}
	return out, json.Unmarshal(reply.Result, &result)
}

func trusts(t *testing.T, p *appliancetest.Peer, pem string) {
	t.Helper()
	if reply, err := p.Call("TrustListSet", pem, nil); err != nil || reply.Error != nil {
		t.Fatalf("trust list: %v %+v", err, reply.Error)
	}
}

// TestCertificateForRequest: the key is made on the peer and waits there; its
// certificate is accepted without it, the other peer is told of the new key, and
// 15028 holds until a restart.
func TestCertificateForRequest(t *testing.T) {
	t.Parallel()
	ca := newIssuer(t)
	peers := pairAt(t, 64)
	p, other := peers[1], peers[0]
	request := requested(t, p, "ECDSA")
	for _, name := range []string{p.FQDN(), appliancetest.ClusterName, "extra.example.com"} {
		if !slices.Contains(request.DNSNames, name) {
			t.Errorf("the request names %v, not %s", request.DNSNames, name)
		}
	}
	if len(request.IPAddresses) != 1 || request.IPAddresses[0].String() != p.Address {
		t.Errorf("the request names %v", request.IPAddresses)
	}
	trusts(t, p, ca.root())
	issued := ca.issue(request.PublicKey, request.DNSNames, request.IPAddresses, bothUses, -1, 90)
	before := other.Entry(p.Address).Fingerprint
	checked, err := certified(p, issued, map[string]string{"Try": "On"})
	if err != nil || !checked.KeyChanged || len(checked.Findings) > 0 {
		t.Fatalf("tried: %+v, %v", checked, err)
	}
	if got := other.Entry(p.Address).Fingerprint; got != before {
		t.Errorf("trying it changed the key from %s to %s", before, got)
	}
	if _, err := certified(p, issued, nil); err != nil {
		t.Fatal(err)
	}
	p.AwaitAlarm(15028, true, 5*time.Second)
	var view commands.CertificateView
	answered(t, p, "CertificateShow", nil, &view)
	if view.Request != "" || view.SelfMade || view.Server.Fingerprint != checked.Fingerprint || !view.Server.Valid || len(view.Trusted) != 1 {
		t.Errorf("shown: %+v", view)
	}
	p.Restart()
	other.Await("the new key is known and used", 20*time.Second, func() string {
		if e := other.Entry(p.Address); e.Fingerprint != checked.Fingerprint || e.State != engine.PeerActive {
			return e.Fingerprint + " " + string(e.State) + " " + e.Cause
		}
		return ""
	})
	p.AwaitAlarm(15028, false, 20*time.Second)
	appliancetest.Ready(t, peers)

	// A peer that is away meanwhile knows the new keys when it is back.
	other.Stop()
	p.Await("it misses the other", 20*time.Second, func() string { return unless(p.Entry(other.Address).State == engine.PeerFailed, "Active") })
	request = requested(t, p, "Present")
	if _, err := certified(p, ca.issue(request.PublicKey, request.DNSNames, request.IPAddresses, bothUses, -1, 91), nil); err != nil {
		t.Errorf("for the present key: %v", err)
	}
	for serial, kind := range []string{"RSA3072", "ECDSA"} {
		request = requested(t, p, kind)
		if checked, err = certified(p, ca.issue(request.PublicKey, request.DNSNames, request.IPAddresses, bothUses, -1, float64(92+serial)), nil); err != nil || !checked.KeyChanged {
			t.Fatalf("a new key with a peer away: %+v, %v", checked, err)
		}
	}
	p.Kill()
	p.Up()
	other.Up()
	appliancetest.Ready(t, peers)
	other.Await("it knows the last key", 20*time.Second, func() string {
		return unless(other.Entry(p.Address).Fingerprint == checked.Fingerprint, other.Entry(p.Address).Fingerprint)
	})
	if raised, _ := other.Counted(70021, 0); raised > 0 {
		t.Errorf("it took the peer for a stranger: %s", other.Detail(70021))
	}
}

// TestExpiredThenAnotherKey: nobody lets a peer in whose certificate has
// expired; with one of another key it is back at once, and nobody was told.
func TestExpiredThenAnotherKey(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 149, 2)
	p, other := peers[1], peers[0]
	authority := appliancetest.NewAuthority(t)
	authority.Certify(p)
	if _, err := certified(p, appliancetest.PEM(t, authority.Pair(p.FQDN(), time.Now().Add(2*time.Second))), nil); err != nil {
		t.Fatal(err)
	}
	p.Await("its certificate ends", 20*time.Second, func() string {
		var view commands.CertificateView
		answered(t, p, "CertificateShow", nil, &view)
		return unless(view.Server.NotAfter.Before(time.Now()), view.Server.NotAfter.String())
	})
	other.Restart()
	other.Await("it refuses the peer", 20*time.Second, func() string { return unless(other.Entry(p.Address).State == engine.PeerFailed, "Active") })
	before := other.Entry(p.Address).Fingerprint
	authority.Certify(p)
	appliancetest.Ready(t, peers)
	if now := other.Entry(p.Address).Fingerprint; now == before {
		t.Error("the key is the same")
	}
}

func unless(holds bool, text string) string {
	if holds {
		return ""
	}
	return text
}

// TestCertificateChecks: what cannot be used is refused and names what to do;
// what Enforcing would refuse is a warning before, and blocks in that mode.
func TestCertificateChecks(t *testing.T) {
	t.Parallel()
	ca, foreign := newIssuer(t), newIssuer(t)
	p := appliancetest.New(t, 1, "127.0.121.66")
	appliancetest.Form(t, []*appliancetest.Peer{p})
	trusts(t, p, ca.root())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	own := encoded("PRIVATE KEY", der)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip(err) // this Go makes none
	}
	ip := []net.IP{net.ParseIP(p.Address)}
	server := bothUses[:1]
	for _, c := range []struct{ name, pem, says string }{
		{"no PEM", "hello", "do not fit"},
		{"another key", ca.issue(&key.PublicKey, nil, ip, bothUses, -1, 90), "do not fit"},
		{"expired", ca.issue(&key.PublicKey, nil, ip, bothUses, -9, -1) + own, "expired"},
		{"not yet", ca.issue(&key.PublicKey, nil, ip, bothUses, 1, 9) + own, "not valid before"},
		{"server only", ca.issue(&key.PublicKey, nil, ip, server, -1, 90) + own, "client"},
		{"RSA-1024", ca.issue(&weak.PublicKey, nil, ip, bothUses, -1, 90) + encoded("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak)), "2048"},
	} {
		if _, err := certified(p, c.pem, nil); engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	ids := func(found []engine.Finding) (out []string) {
		for _, f := range found {
			out = append(out, f.ID)
		}
		return out
	}
	other := foreign.issue(&key.PublicKey, []string{"elsewhere.example.com"}, nil, bothUses, -1, 90) + own
	checked, err := certified(p, other, map[string]string{"Try": "On"})
	if want := []string{"certificate.name", "certificate.chain"}; err != nil || !slices.Equal(ids(checked.Findings), want) {
		t.Errorf("in Permissive: %v %v, want %v", ids(checked.Findings), err, want)
	}
	if _, err := certified(p, ca.issue(&key.PublicKey, nil, ip, bothUses, -1, 90)+own, nil); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	appliancetest.OfflinePage(t, p, func(page *sqlstore.Page) {
		page.Entered.TLSMode, page.Running.TLSMode = engine.Enforcing, engine.Enforcing
	})
	p.Up()
	if _, err := certified(p, other, nil); engine.CodeOf(err) != engine.Denied {
		t.Errorf("in Enforcing: %v", err)
	}
	reply, err := p.Call("TrustListSet", foreign.root(), nil)
	if err == nil {
		err = reply.Error.Err()
	}
	if reply.Error == nil || reply.Error.Code != engine.Denied {
		t.Errorf("a trust list without the own issuer: %v %+v", err, reply.Error)
	}
	trusts(t, p, foreign.root()+ca.root())
}

// TestCertificateEnds: 40069 before the end, 40068 on the last day, neither for
// one with time left; one that hexad made itself is renewed with its key.
func TestCertificateEnds(t *testing.T) {
	t.Parallel()
	ca := newIssuer(t)
	p := appliancetest.New(t, 1, "127.0.121.67").Up()
	p.Prepare()
	set := func(days float64) {
		t.Helper()
		request := requested(t, p, "Present")
		if _, err := certified(p, ca.issue(request.PublicKey, []string{p.FQDN()}, nil, bothUses, -1, days), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		days             float64
		expired, expires bool
	}{{60, false, false}, {10.5, false, true}, {0.5, true, false}, {60, false, false}} {
		set(c.days)
		p.AwaitAlarm(40068, c.expired, 5*time.Second)
		p.AwaitAlarm(40069, c.expires, 5*time.Second)
		if c.expires && !strings.Contains(p.Detail(40069), "10") {
			t.Errorf("40069 says %q", p.Detail(40069))
		}
	}
	p.Stop()
	var fingerprint string
	appliancetest.Offline(t, p, func(ctx context.Context, l *sqlstore.Local) error {
		cert, key, err := link.NewCredentials([]string{p.FQDN()}, nil, time.Now().Add(-link.Lifetime).AddDate(0, 0, 5))
		if err != nil {
			return err
		}
		c, err := link.LoadCredentials(cert, key)
		if err != nil {
			return err
		}
		fingerprint = c.Fingerprint()
		return l.PutCredentials(ctx, sqlstore.Credentials{Certificate: cert, PrivateKey: key, Changed: time.Now()})
	})
	p.Up()
	p.Await("it is renewed", 10*time.Second, func() string {
		var view commands.CertificateView
		answered(t, p, "CertificateShow", nil, &view)
		if view.Server.Fingerprint != fingerprint || !view.SelfMade {
			t.Fatalf("another key: %+v", view)
		}
		return unless(time.Until(view.Server.NotAfter) > 700*24*time.Hour, "it ends "+view.Server.NotAfter.String())
	})
	p.AwaitAlarm(40069, false, 10*time.Second)
}

// TestCertificatesAtOnce: the keys of all peers are replaced in the same moment,
// twice, and no peer ever takes another for a stranger.
func TestCertificatesAtOnce(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 147, 3)
	for range 2 {
		authority := appliancetest.NewAuthority(t)
		appliancetest.Each(peers, func(p *appliancetest.Peer) { authority.Certify(p) })
		appliancetest.Ready(t, peers)
	}
	for _, p := range peers {
		if raised, _ := p.Counted(70021, 0); raised > 0 {
			t.Errorf("%s took a peer for a stranger: %s", p.Name, p.Detail(70021))
		}
	}
}

// TestKeyChangeKilled: wherever a peer is killed while its key is replaced, the
// others know the key that it comes back with, and no other one for long.
func TestKeyChangeKilled(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Network(t, 148, 2)
	primary, p := peers[0], peers[1]
	p.Variant = crashing
	appliancetest.Form(t, peers)
	authority := appliancetest.NewAuthority(t)
	for _, point := range []string{"key.kept", "key.shown"} {
		p.Stop()
		armed(p, point)
		appliancetest.Ready(t, peers)
		before, child := primary.Entry(p.Address).Fingerprint, p.Child()
		if err := authority.TryCertify(p); err == nil {
			t.Fatalf("%s: it was not killed", point)
		}
		restarted(t, p, child)
		appliancetest.Ready(t, peers)
		primary.Await("knows it by the new key", 20*time.Second, func() string {
			return unless(primary.Entry(p.Address).Fingerprint != before, "by the old one")
		})
	}
	for _, q := range peers {
		if raised, _ := q.Counted(70021, 0); raised > 0 {
			t.Errorf("%s took the other for a stranger: %s", q.Name, q.Detail(70021))
		}
	}
}
