package command

import (
	"context"
	"fmt"
	"strings"

	"hexad/engine"
)

// Certificates replaces what this system proves itself and judges others by.
// Both take PEM and are in effect for new connections at once.
type Certificates interface {
	// SetServer takes a chain, leaf first, and its private key; without a key
	// the present one stays. The other peers are told of a new key before it is used.
	// Errors: Invalid (cannot be used), Unavailable (the other peers cannot be told).
	SetServer(ctx context.Context, actor engine.Actor, pem string) (engine.CertFacts, error)
	// SetTrust replaces the certificate authorities and returns how many there are.
	// Errors: Invalid.
	SetTrust(ctx context.Context, actor engine.Actor, pem string) (int, error)
}

func (t *Table) certificateEntries() []*Entry {
	return []*Entry{
		{Group: XCommand, Name: "ServerCertificateSet", Role: Administrator, Writes: true,
			Help:    engine.Text{EN: "Replaces this system's certificate, and its key when one is given; send them with: hexad certificate FILE", JA: "このシステムの証明書と、指定した場合は秘密鍵を置き換えます。送信には hexad certificate FILE を使います"},
			Example: "xCommand ServerCertificateSet",
			run:     t.setServerCertificate},
		{Group: XCommand, Name: "TrustListSet", Role: Administrator, Writes: true,
			Help:    engine.Text{EN: "Replaces the trusted certificate authorities; send them with: hexad certificate --trust FILE", JA: "信頼する認証局を置き換えます。送信には hexad certificate --trust FILE を使います"},
			Example: "xCommand TrustListSet",
			run:     t.setTrustList},
	}
}

func (t *Table) setServerCertificate(ctx context.Context, call Call) (Result, error) {
	if strings.TrimSpace(call.Body) == "" {
		return Result{}, usage("ServerCertificateSet: there is no certificate").With(usageItem, "use: hexad certificate FILE")
	}
	facts, err := t.parts.Certificates.SetServer(ctx, call.Actor, call.Body)
	if err != nil {
		return Result{}, err
	}
	tree := Tree("ServerCertificate", text("CN", facts.CN), text("SANs", strings.Join(facts.SANs, " ")), moment("NotAfter", facts.NotAfter),
		text("Fingerprint", facts.Fingerprint), word("Status", map[bool]string{true: "Valid", false: "Invalid"}[facts.Valid]))
	if facts.Reason != "" {
		tree.add(text("Reason", facts.Reason))
	}
	return Result{Data: facts, Lines: results(tree)}, nil
}

func (t *Table) setTrustList(ctx context.Context, call Call) (Result, error) {
	n, err := t.parts.Certificates.SetTrust(ctx, call.Actor, call.Body)
	if err != nil {
		return Result{}, err
	}
	return Result{Data: map[string]int{"authorities": n}, Lines: []string{fmt.Sprintf("trusted certificate authorities: %d", n)}}, nil
}
