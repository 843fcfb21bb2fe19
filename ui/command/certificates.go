package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
)

// CertificateView is this system's certificate, what waits for one, and whom it trusts.
type CertificateView struct {
	Server    engine.CertFacts     `json:"server"`
	SelfMade  bool                 `json:"self_made"` // nobody but its own key vouches for it
	Request   string               `json:"request"`   // PEM, "" when none waits
	Requested time.Time            `json:"requested"`
	Trusted   []TrustedCertificate `json:"trusted"`
	Findings  []engine.Finding     `json:"findings"` // of the certificate in use
}

// TrustedCertificate is one of the trust list.
type TrustedCertificate struct {
	Subject     string    `json:"subject"`
	NotAfter    time.Time `json:"not_after"`
	Fingerprint string    `json:"fingerprint"`
}

// CertificateRequest is what a certificate is requested for.
type CertificateRequest struct {
	Key          string // Present, ECDSA, RSA3072
	Organization string
	Names        []string // beside those that this system has
}

// CertificateChecked is what was found of a certificate.
type CertificateChecked struct {
	engine.CertFacts
	KeyChanged bool             `json:"key_changed"`
	Findings   []engine.Finding `json:"findings,omitempty"`
}

// Certificates is what this system proves itself and judges others by. What is
// set is PEM and in effect for new connections at once.
type Certificates interface {
	Show(ctx context.Context) (CertificateView, error)
	// Request makes a signing request; a new key stays here. Errors: Invalid.
	Request(ctx context.Context, actor engine.Actor, ask CertificateRequest) (pem string, err error)
	DeleteRequest(ctx context.Context, actor engine.Actor) error
	// SetServer takes a chain, leaf first, and its private key; without a key it
	// belongs to the request that waits, or to the present key. For a new key the
	// present one vouches: no peer has to be told of it first. With try it is checked only.
	// Errors: Invalid (cannot be used), Denied (with findings).
	SetServer(ctx context.Context, actor engine.Actor, pem string, try bool) (CertificateChecked, error)
	// SetTrust replaces the certificate authorities and returns how many there are.
	// Errors: Invalid, Denied (with findings).
	SetTrust(ctx context.Context, actor engine.Actor, pem string) (int, []engine.Finding, error)
}

func (t *Table) certificateEntries() []*Entry {
	return []*Entry{
		{Group: XCommand, Name: "CertificateShow", Role: Auditor,
			Help:    engine.Text{EN: "Shows this system's certificate, the request that waits for one, the trust list, and what is wrong with them", JA: "このシステムの証明書、発行待ちの要求、信頼リストと、その問題点を表示します"},
			Example: "xCommand CertificateShow", run: t.showCertificates},
		{Group: XCommand, Name: "CertificateRequest", Role: Administrator, Writes: true,
			Args: []Argument{
				{Name: "Key", Space: oneOf("Present", "ECDSA", "RSA3072"), Default: "Present", Help: engine.Text{
					EN: "Present: the other peers go on knowing this system; a new key is made here and never leaves", JA: "Present: 他のピアの登録済み鍵がそのまま有効です。新しい鍵はこのシステムで作成され、外に出ません"}},
				{Name: "Organization", Space: chars(0, 64), Help: engine.Text{EN: "Organization of the subject", JA: "サブジェクトの組織名"}},
				{Name: "Names", Space: chars(0, 1000), Help: engine.Text{EN: "More names, separated by spaces; this system's own and the cluster's are there already", JA: "追加の名前(空白区切り)。このシステムとクラスタの名前は自動的に含まれます"}}},
			Help:    engine.Text{EN: "Makes a certificate signing request for this system", JA: "このシステムの証明書署名要求(CSR)を作成します"},
			Example: "xCommand CertificateRequest Key: ECDSA", run: t.requestCertificate},
		{Group: XCommand, Name: "CertificateRequestDelete", Role: Administrator, Writes: true,
			Help:    engine.Text{EN: "Discards the request that waits, and its key", JA: "発行待ちの要求とその鍵を破棄します"},
			Example: "xCommand CertificateRequestDelete",
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Certificates.DeleteRequest(ctx, call.Actor)
			}},
		{Group: XCommand, Name: "ServerCertificateSet", Role: Administrator, Writes: true, Backup: true,
			Args: []Argument{
				{Name: "Try", Space: offOn, Default: "Off", Help: engine.Text{EN: "On: check it and change nothing", JA: "On: 検証のみで何も変更しません"}}},
			Help:    engine.Text{EN: "Replaces this system's certificate, and its key when one is given; send them with: hexad certificate FILE. Take a backup first: xCommand SystemBackup", JA: "このシステムの証明書と、指定した場合は秘密鍵を置き換えます。送信には hexad certificate FILE を使います。先に xCommand SystemBackup でバックアップしてください"},
			Example: "xCommand ServerCertificateSet",
			run:     t.setServerCertificate},
		{Group: XCommand, Name: "TrustListSet", Role: Administrator, Writes: true, Backup: true,
			Help:    engine.Text{EN: "Replaces the trusted certificate authorities; send them with: hexad certificate --trust FILE. Take a backup first: xCommand SystemBackup", JA: "信頼する認証局を置き換えます。送信には hexad certificate --trust FILE を使います。先に xCommand SystemBackup でバックアップしてください"},
			Example: "xCommand TrustListSet",
			run:     t.setTrustList},
	}
}

// certificateNodes are the facts of a certificate.
func certificateNodes(facts engine.CertFacts) []*Node {
	out := []*Node{text("CN", facts.CN), text("SANs", strings.Join(facts.SANs, " ")), moment("NotAfter", facts.NotAfter),
		text("Fingerprint", facts.Fingerprint), word("Status", map[bool]string{true: "Valid", false: "Invalid"}[facts.Valid])}
	if facts.Reason != "" {
		out = append(out, text("Reason", facts.Reason))
	}
	return out
}

func findingLines(l engine.Language, found []engine.Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, say(l, f.Text))
	}
	return out
}

func (t *Table) showCertificates(ctx context.Context, call Call) (Result, error) {
	view, err := t.parts.Certificates.Show(ctx)
	if err != nil {
		return Result{}, err
	}
	tree := Tree("Certificate", Tree("Server", certificateNodes(view.Server)...))
	for i, c := range view.Trusted {
		tree.add(Tree("Trusted "+strconv.Itoa(i+1), text("Subject", c.Subject), moment("NotAfter", c.NotAfter), text("Fingerprint", c.Fingerprint)))
	}
	lines := results(tree)
	if view.Request != "" {
		lines = append(append(lines, say(call.Language, engine.Text{EN: "a certificate is awaited for this request:", JA: "次の要求に対する証明書を待っています:"})), strings.Split(strings.TrimSpace(view.Request), "\n")...)
	}
	return Result{Data: view, Lines: append(lines, findingLines(call.Language, view.Findings)...), Findings: view.Findings}, nil
}

func (t *Table) requestCertificate(ctx context.Context, call Call) (Result, error) {
	key := call.Args["Key"]
	if key == "" {
		key = "Present"
	}
	pem, err := t.parts.Certificates.Request(ctx, call.Actor, CertificateRequest{Key: key, Organization: call.Args["Organization"], Names: strings.Fields(call.Args["Names"])})
	if err != nil {
		return Result{}, err
	}
	return Result{Data: map[string]string{"request": pem}, Lines: strings.Split(strings.TrimSpace(pem), "\n")}, nil
}

func (t *Table) setServerCertificate(ctx context.Context, call Call) (Result, error) {
	if strings.TrimSpace(call.Body) == "" {
		return Result{}, usage("ServerCertificateSet: there is no certificate").With(usageItem, "use: hexad certificate FILE")
	}
	try := call.Args["Try"] == "On"
	checked, err := t.parts.Certificates.SetServer(ctx, call.Actor, call.Body, try)
	if err != nil {
		return Result{}, err
	}
	lines := append(results(Tree("ServerCertificate", certificateNodes(checked.CertFacts)...)), findingLines(call.Language, checked.Findings)...)
	if try {
		lines = append(lines, say(call.Language, engine.Text{EN: "checked only; nothing is changed", JA: "検証のみで、何も変更していません"}))
	}
	return Result{Data: checked, Lines: lines, Findings: checked.Findings}, nil
}

func (t *Table) setTrustList(ctx context.Context, call Call) (Result, error) {
	n, found, err := t.parts.Certificates.SetTrust(ctx, call.Actor, call.Body)
	if err != nil {
		return Result{}, err
	}
	lines := append([]string{fmt.Sprintf("trusted certificate authorities: %d", n)}, findingLines(call.Language, found)...)
	return Result{Data: map[string]int{"authorities": n}, Lines: lines, Findings: found}, nil
}
