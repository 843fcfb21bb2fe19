package link_test

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/link"
)

func TestNewRequest(t *testing.T) {
	t.Parallel()
	for _, kind := range []link.KeyKind{link.ECDSAKey, link.RSAKey} {
		key, err := link.NewKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		text, err := link.NewRequest(key, []string{"Peer1.example.com", "192.0.2.1", "", "2001:db8::1", "peer1.example.com", "cluster.example.com"}, "Example")
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		block, _ := pem.Decode(text)
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err == nil {
			err = request.CheckSignature()
		}
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if want := []string{"peer1.example.com", "cluster.example.com"}; !slices.Equal(request.DNSNames, want) || len(request.IPAddresses) != 2 ||
			request.Subject.CommonName != "Peer1.example.com" || !slices.Equal(request.Subject.Organization, []string{"Example"}) {
			t.Errorf("%s: %v %v %s", kind, request.DNSNames, request.IPAddresses, request.Subject)
		}
	}
	if _, err := link.NewKey("DSA"); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("an unknown kind: %v", err)
	}
	if _, err := link.NewRequest([]byte("no key"), []string{"a"}, ""); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("no key: %v", err)
	}
	key, err := link.NewKey(link.ECDSAKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := link.NewRequest(key, []string{""}, ""); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("no name: %v", err)
	}
}

// TestSelfMade: a renewed certificate fits the same key, is nobody else's, and
// leads to no authority.
func TestSelfMade(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cert, key, err := link.NewCredentials([]string{"peer1"}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := link.RenewCertificate(key, []string{"peer1"}, nil, now.AddDate(2, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	first, err := link.LoadCredentials(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	second, err := link.LoadCredentials(again, key)
	if err != nil {
		t.Fatal(err)
	}
	if !first.SelfMade() || !second.SelfMade() || first.Fingerprint() != second.Fingerprint() || !link.Fits(again, key) {
		t.Error("the renewed one is another's")
	}
	if first.ChainFault(link.Trust{}, now) == "" {
		t.Error("it leads to an authority")
	}
	other, err := link.NewKey(link.ECDSAKey)
	if err != nil {
		t.Fatal(err)
	}
	if link.Fits(cert, other) {
		t.Error("it fits another key")
	}
}
