package appliancetest

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
)

// Browser is a session at the console of a peer.
type Browser struct {
	p      *Peer
	client *http.Client
}

// Browser opens the console without signing in. Whose certificate it is does
// not matter here.
func (p *Peer) Browser() *Browser {
	jar, _ := cookiejar.New(nil) // never fails without options
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	return &Browser{p: p, client: &http.Client{Jar: jar, Transport: transport, Timeout: answerTime}}
}

// SignIn signs in with a password and reports whether that was accepted.
func (b *Browser) SignIn(password string) bool {
	b.p.T.Helper()
	answer, err := b.client.PostForm(b.url("/sign-in"), url.Values{"account": {"admin"}, "password": {password}})
	if err != nil {
		b.p.T.Fatalf("%s: sign in: %v", b.p.Name, err)
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK && answer.Request.URL.Path == "/"
}

// Get is the status and the text of a page, after redirections.
func (b *Browser) Get(path string) (int, string) {
	b.p.T.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.url(path), nil)
	if err != nil {
		b.p.T.Fatal(err)
	}
	answer, err := b.client.Do(request)
	if err != nil {
		b.p.T.Fatalf("%s: %s: %v", b.p.Name, path, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.p.T.Fatalf("%s: %s: %v", b.p.Name, path, err)
	}
	return answer.StatusCode, string(body)
}

func (b *Browser) url(path string) string { return "https://" + b.p.Address + ":8443" + path }
