package appliance

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/event"
	"hexad/engine/fail"
	"hexad/engine/link"
	"hexad/sqlstore"
	"hexad/ui/command"
)

// certificates replaces this peer's own certificate and its trust list.
type certificates struct{ a *appliance }

// Show is what this peer has, and what is to be said of it.
func (c certificates) Show(ctx context.Context) (command.CertificateView, error) {
	own := c.a.link.Credentials()
	view := command.CertificateView{Server: c.a.certificateFacts(c.a.cluster.Facts()), SelfMade: own.SelfMade(), Findings: c.findings(own, c.a.trust())}
	pending, err := c.a.local.PendingKey(ctx)
	if err != nil {
		return view, err
	}
	view.Request, view.Requested = string(pending.Request), pending.Made
	authorities, err := c.a.local.TrustStore(ctx)
	if err != nil {
		return view, err
	}
	for _, cert := range parsed([]byte(strings.Join(authorities, "\n"))) {
		view.Trusted = append(view.Trusted, command.TrustedCertificate{Subject: cert.Subject.String(), NotAfter: cert.NotAfter.UTC(), Fingerprint: link.Fingerprint(cert)})
	}
	return view, nil
}

// parsed are the certificates of a PEM text; what is none is left out.
func parsed(text []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			out = append(out, cert)
		}
	}
	return out
}

// Request makes a certificate signing request. Its names are this system's FQDN,
// its own entry of the peer list, the cluster's name when that is an FQDN, and
// those that are added. A new key waits here for its certificate.
//
// Source: reference 2.4, 2.5; design 4.
func (c certificates) Request(ctx context.Context, actor engine.Actor, ask command.CertificateRequest) (string, error) {
	var key []byte
	var err error
	if kind := link.KeyKind(ask.Key); kind == link.PresentKey {
		var stored sqlstore.Credentials
		stored, err = c.a.local.Credentials(ctx)
		key = stored.PrivateKey
	} else {
		key, err = link.NewKey(kind)
	}
	if err != nil {
		return "", err
	}
	request, err := link.NewRequest(key, append(c.names(), ask.Names...), ask.Organization)
	if err != nil {
		return "", err
	}
	if err := c.a.local.PutPendingKey(ctx, sqlstore.PendingKey{Request: request, PrivateKey: key, Made: time.Now().UTC()}); err != nil {
		return "", err
	}
	c.a.journal.Emit(event.By(actor, "Certificate Management", "certificate request made, key "+ask.Key))
	return string(request), nil
}

// names are what the others know this peer by, the one for the CN first.
func (c certificates) names() []string {
	names := []string{c.a.fqdn()}
	if entry := c.a.runningPage(); entry != "" {
		names = append(names, entry)
	}
	if cluster := c.a.cluster.Running().Name; strings.Contains(cluster, ".") {
		if _, err := netip.ParseAddr(cluster); err != nil {
			names = append(names, cluster)
		}
	}
	return names
}

func (c certificates) DeleteRequest(ctx context.Context, actor engine.Actor) error {
	if err := c.a.local.PutPendingKey(ctx, sqlstore.PendingKey{}); err != nil {
		return err
	}
	c.a.journal.Emit(event.By(actor, "Certificate Management", "certificate request discarded"))
	return nil
}

// SetServer checks a certificate, and uses it unless it is only to be tried.
func (c certificates) SetServer(ctx context.Context, actor engine.Actor, text string, try bool) (command.CertificateChecked, error) {
	var out command.CertificateChecked
	if !try {
		c.a.keyChange.Lock()
		defer c.a.keyChange.Unlock()
	}
	stored, err := c.a.local.Credentials(ctx)
	if err != nil {
		return out, err
	}
	cert, key := split([]byte(text))
	pending := sqlstore.PendingKey{}
	if len(key) == 0 {
		if pending, err = c.a.local.PendingKey(ctx); err != nil {
			return out, err
		}
		key = stored.PrivateKey
		if len(pending.PrivateKey) > 0 && link.Fits(cert, pending.PrivateKey) {
			key = pending.PrivateKey
		}
	}
	if out.CertFacts, err = link.CheckCertificate(cert, key, c.a.trust(), time.Now()); err != nil {
		return out, err
	}
	before := c.a.link.Credentials()
	if cert, err = link.Succeed(c.a.identity.now().Node, before, cert); err != nil {
		return out, err
	}
	fresh, err := link.LoadCredentials(cert, key)
	if err != nil {
		return out, err
	}
	out.KeyChanged = fresh.Fingerprint() != before.Fingerprint()
	out.Findings = c.findings(fresh, c.a.trust())
	if err := permit(out); err != nil || try {
		return out, err
	}
	stored.Certificate, stored.PrivateKey, stored.Changed = cert, key, time.Now().UTC()
	if err := c.a.local.PutCredentials(ctx, stored); err != nil {
		return out, err
	}
	if err := fail.Point("key.kept"); err != nil {
		return out, err
	}
	c.a.link.SetCredentials(fresh)
	if out.KeyChanged {
		if err := fail.Point("key.shown"); err != nil {
			return out, err
		}
		c.tellKey(ctx)
	}
	if bytes.Equal(key, pending.PrivateKey) {
		if err := c.a.local.PutPendingKey(ctx, sqlstore.PendingKey{}); err != nil {
			return out, err
		}
	}
	c.a.journal.Emit(event.By(actor, "Certificate Management", "server certificate replaced: "+out.Fingerprint))
	c.changed(ctx)
	return out, nil
}

// permit refuses a certificate that would cut this peer off.
func permit(out command.CertificateChecked) error {
	if blocking := engine.Errors(out.Findings); len(blocking) > 0 {
		return &engine.Error{Code: engine.Denied, Message: "the certificate would cut this system off from its peers", Findings: out.Findings,
			Item: "Server certificate", Remedy: "have one issued as the findings say; or set the TLS verification mode to Permissive first"}
	}
	return nil
}

// findings are what Enforcing would hold against a certificate: they block in
// that mode and warn in the other.
func (c certificates) findings(own *link.Credentials, trust link.Trust) []engine.Finding {
	severity := engine.FindingWarning
	if c.a.cluster.Running().TLSMode == engine.Enforcing || c.a.cluster.View(context.Background()).Entered.TLSMode == engine.Enforcing {
		severity = engine.FindingError
	}
	var out []engine.Finding
	if entry := c.a.runningPage(); entry != "" && !link.Covers(own.Certificate(), entry) && !c.mapped(own, entry) {
		out = append(out, engine.Finding{ID: "certificate.name", Severity: severity, Field: "Server certificate", Text: engine.Text{
			EN: "The certificate does not name " + entry + ", which the peer lists have for this system: have one issued with that name as a SAN, or put the name of the certificate into the peer lists.",
			JA: "証明書に、ピアリスト上のこのシステムの名前 " + entry + " が含まれていません。この名前を SAN に含む証明書を発行するか、証明書の名前をピアリストに設定してください。"}})
	}
	if fault := own.ChainFault(trust, time.Now()); fault != "" {
		out = append(out, engine.Finding{ID: "certificate.chain", Severity: severity, Field: "Server certificate", Text: engine.Text{
			EN: "The chain does not lead to an authority of the trust list (" + fault + "): put the issuer into the trust list of every peer, and the certificates between into the file.",
			JA: "証明書チェーンが信頼リストの認証局に到達しません(" + fault + ")。発行者を全ピアの信頼リストに登録し、中間証明書をファイルに含めてください。"}})
	}
	if own.Certificate().Subject.CommonName == "" {
		out = append(out, engine.Finding{ID: "certificate.cn", Severity: engine.FindingWarning, Alarm: alarmNoCommonName, Field: "Server certificate", Text: engine.Text{
			EN: "The certificate has no common name: some endpoints ask for one.", JA: "証明書に共通名がありません。共通名を必要とするエンドポイントがあります。"}})
	}
	return out
}

// mapped reports whether a certificate names what the address mapping gives for
// an entry that is an address. Source: design 4.
func (c certificates) mapped(own *link.Credentials, entry string) bool {
	on, mappings := c.a.mappings()
	if !on {
		return false
	}
	for _, m := range mappings {
		if m.IP == entry && link.Covers(own.Certificate(), m.FQDN) {
			return true
		}
	}
	return false
}

// SetTrust replaces the trust list, unless this peer's own certificate would no
// longer do while the mode is Enforcing.
func (c certificates) SetTrust(ctx context.Context, actor engine.Actor, text string) (int, []engine.Finding, error) {
	authorities, _ := split([]byte(text))
	list := parsed(authorities)
	if len(list) != bytes.Count([]byte(text), []byte("-----BEGIN ")) || len(list) == 0 && strings.TrimSpace(text) != "" {
		return 0, nil, engine.Errorf(engine.Invalid, "the trust list holds something else than certificates in PEM form").With("trust list", "send the certificate authorities' certificates as PEM, and nothing else")
	}
	pool := x509.NewCertPool()
	for _, cert := range list {
		if time.Now().After(cert.NotAfter) {
			return 0, nil, engine.Errorf(engine.Invalid, "the authority %s expired at %s", cert.Subject, cert.NotAfter.UTC().Format(time.RFC3339)).With("trust list", "leave it out, or send its successor")
		}
		pool.AddCert(cert)
	}
	found := c.findings(c.a.link.Credentials(), link.Trust{Roots: pool})
	for _, f := range engine.Errors(found) {
		if f.ID == "certificate.chain" {
			return 0, found, &engine.Error{Code: engine.Denied, Message: "with this trust list the peers would refuse one another", Findings: found, Item: "trust list",
				Remedy: "keep the present authority in the list until every peer has its new certificate; or set the TLS verification mode to Permissive first"}
		}
	}
	var store []string
	if len(authorities) > 0 {
		store = []string{string(authorities)}
	}
	if err := c.a.local.PutTrustStore(ctx, store); err != nil {
		return 0, nil, err
	}
	if err := c.a.loadTrust(store); err != nil {
		return 0, nil, err
	}
	c.a.link.Recheck()
	c.a.changes.happened()
	c.a.journal.Emit(event.By(actor, "Certificate Management", "trust list replaced"))
	return len(list), found, nil
}

// Alarms of the server certificate. Source: reference 4.3.
const (
	alarmCertificateChanged = 15028
	alarmNoCommonName       = 40052
	alarmExpired            = 40068
	alarmExpires            = 40069
)

// A certificate is watched every certificateEvery. One that hexad made itself is
// renewed, with its key, renewBefore its end; for one that somebody issued alarm
// 40069 is raised as long before, and 40068 on its last day.
const (
	certificateEvery = time.Hour
	renewBefore      = 30 * 24 * time.Hour
)

// changed follows another certificate. New connections show it at once; those
// with peers that are open stand on the one before until a restart.
func (c certificates) changed(ctx context.Context) {
	if len(c.a.cluster.Targets()) > 0 {
		c.a.tracker.Raise(ctx, alarmCertificateChanged, "", nil)
	}
	c.judge(ctx, time.Now())
	c.a.changes.happened()
}

// judge raises and lowers the alarms of the certificate in use.
func (c certificates) judge(ctx context.Context, now time.Time) {
	leaf := c.a.link.Credentials().Certificate()
	left := leaf.NotAfter.Sub(now)
	raise := func(id int, holds bool, params map[string]string) {
		if holds {
			c.a.tracker.Raise(ctx, id, "", params)
		} else {
			c.a.tracker.Lower(ctx, id, "")
		}
	}
	const day = 24 * time.Hour
	raise(alarmExpired, left <= day, nil)
	raise(alarmExpires, left > day && left <= renewBefore, map[string]string{"days": strconv.Itoa(int(left / day))})
	raise(alarmNoCommonName, leaf.Subject.CommonName == "", nil)
}

// watch looks after the certificate until ctx ends.
func (c certificates) watch(ctx context.Context) error {
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	for {
		if err := c.renew(ctx, time.Now()); err != nil {
			c.a.log.Warn("own certificate not renewed", "module", "management", "err", err)
		}
		c.judge(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// renew renews a certificate that hexad made itself before it ends, with its
// names and its key: no peer needs to be told, for pins are of keys.
func (c certificates) renew(ctx context.Context, now time.Time) error {
	if !c.a.keyChange.TryLock() {
		return nil // it is being replaced; the next look renews it if that comes to nothing
	}
	defer c.a.keyChange.Unlock()
	own := c.a.link.Credentials()
	if !own.SelfMade() || own.Certificate().NotAfter.Sub(now) > renewBefore {
		return nil
	}
	stored, err := c.a.local.Credentials(ctx)
	if err != nil {
		return err
	}
	leaf := own.Certificate()
	if stored.Certificate, err = link.RenewCertificate(stored.PrivateKey, leaf.DNSNames, leaf.IPAddresses, now); err != nil {
		return err
	}
	if stored.Certificate, err = link.Succeed(c.a.identity.now().Node, own, stored.Certificate); err != nil {
		return err
	}
	fresh, err := link.LoadCredentials(stored.Certificate, stored.PrivateKey)
	if err != nil {
		return err
	}
	stored.Changed = now.UTC()
	if err := c.a.local.PutCredentials(ctx, stored); err != nil {
		return err
	}
	c.a.link.SetCredentials(fresh)
	c.a.journal.Emit(event.Named("management", "Certificate Management", fmt.Sprintf("own certificate renewed with its key, until %s", fresh.Certificate().NotAfter.UTC().Format(time.DateOnly))))
	return nil
}
