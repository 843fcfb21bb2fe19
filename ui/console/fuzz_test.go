package console_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"hexad/engine"
	"hexad/ui/console"
)

// FuzzAPIBody reads any body as a REST request: it becomes arguments, or an
// error that is the sender's.
func FuzzAPIBody(f *testing.F) {
	for _, seed := range []string{
		`{"args":{"ZoneName":"branch","Count":7,"On":true},"body":"text","base":3,"changes":[{"path":"SystemUnit Name","value":"a"}]}`,
		`{"body":{"a":[1,2]}}`, `{"args":{"a":null}}`, `{"args":{"a":1e999}}`, `{"unknown":1}`, ``, `null`, `[]`, `{} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		args, text, err := console.ReadAPI(body)
		if err != nil {
			return
		}
		for name, value := range args {
			if utf8.Valid(body) && !utf8.ValidString(value) {
				t.Fatalf("%s is %q", name, value)
			}
		}
		if len(text) > len(body) {
			t.Fatalf("%d bytes of text in %d", len(text), len(body))
		}
	})
}

// FuzzForms reads any form as the clustering page and as configuration items:
// no more peers than a cluster has, no item without a path, none twice as often
// as it was sent.
func FuzzForms(f *testing.F) {
	for _, seed := range []string{
		"name=c&primary=1&ip_version=IPv4&tls_mode=Permissive&peer1=192.0.2.1&peer2=+192.0.2.2+&peer7=x",
		"p.0=SystemUnit+Name&o.0=a&v.0=b&p.1=H323+Mode&o.1=On&v.1=On&p.new=xConfiguration+Zones&v.new=z", "p.new=+", "peer1=%zz", "p.0&v.0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		form, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		args, changes := console.ReadForms(form)
		peers := 0
		for name, value := range args {
			if strings.HasPrefix(name, "Peer") {
				peers++
				if strings.TrimSpace(value) != value {
					t.Fatalf("%s is %q", name, value)
				}
			}
		}
		if peers != engine.MaxPeers || len(changes) > len(form) {
			t.Fatalf("%d peers, %d changes of %d fields", peers, len(changes), len(form))
		}
	})
}
