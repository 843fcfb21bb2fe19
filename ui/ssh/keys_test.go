package ssh_test

import (
	"crypto/dsa" //lint:ignore SA1019 such a key is refused
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"hexad/engine"
	"hexad/ui/ssh"
)

func publicLine(t testing.TB, key any) string {
	t.Helper()
	public, err := xssh.NewPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(xssh.MarshalAuthorizedKey(public)))
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	_, public, err := ssh.MakeHostKey()
	if err != nil {
		t.Fatal(err)
	}
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &xssh.Certificate{Key: signer.PublicKey(), CertType: xssh.UserCert}
	if err := certificate.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	var old dsa.PrivateKey
	if err := dsa.GenerateParameters(&old.Parameters, rand.Reader, dsa.L1024N160); err != nil {
		t.Fatal(err)
	}
	if err := dsa.GenerateKey(&old, rand.Reader); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, line string
		refused    string // part of the message, "" when it is taken
	}{
		{"ed25519", public + " anna@laptop", ""},
		{"without a comment", public, ""},
		{"spaces around it", "  " + public + "  \n", ""},
		{"rsa", publicLine(t, &strong.PublicKey), ""},
		{"ecdsa", publicLine(t, &curve.PublicKey), ""},
		{"short rsa", publicLine(t, &weak.PublicKey), "ssh-rsa is not accepted"},
		{"dsa", publicLine(t, &old.PublicKey), "ssh-dss is not accepted"},
		{"certificate", strings.TrimSpace(string(xssh.MarshalAuthorizedKey(certificate))), "is not accepted"},
		{"options", `from="192.0.2.1" ` + public, "options"},
		{"a command", `command="xStatus" ` + public, "options"},
		{"two keys", public + "\n" + public, "not one line"},
		{"empty", "", "no public key"},
		{"a comment only", "# nothing", "no public key"},
		{"a private key", "-----BEGIN OPENSSH PRIVATE KEY-----", "no public key"},
		{"cut off", public[:len(public)-10], "no public key"},
		{"a long comment", public + " " + strings.Repeat("x", 200), "comment"},
		{"very long", strings.Repeat("x", 9000), "the most"},
		{"control characters", public + " \x1b[2J", "not one line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, err := ssh.ParseKey(tt.line)
			switch {
			case tt.refused == "" && (err != nil || key.Fingerprint != ssh.Fingerprint(key.Line) || !strings.HasPrefix(key.Fingerprint, "SHA256:")):
				t.Errorf("ParseKey = %+v, %v", key, err)
			case tt.refused != "" && (engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), tt.refused)):
				t.Errorf("ParseKey = %+v, %v, want a refusal with %q", key, err, tt.refused)
			}
		})
	}
}

// FuzzParseKey: what is taken reads the same again.
func FuzzParseKey(f *testing.F) {
	_, public, err := ssh.MakeHostKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(public + " anna")
	f.Add(`no-pty,command="x" ` + public)
	f.Add("ssh-rsa AAAA")
	f.Fuzz(func(t *testing.T, line string) {
		key, err := ssh.ParseKey(line)
		if err != nil {
			return
		}
		again, err := ssh.ParseKey(key.Line + " " + key.Comment)
		if err != nil || again.Line != key.Line || again.Fingerprint != key.Fingerprint {
			t.Errorf("%q: %+v, again %+v, %v", line, key, again, err)
		}
	})
}

// FuzzRequest: whatever a client says of its terminal, it stays within bounds.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05xterm\x00\x00\x00\x50\x00\x00\x00\x18\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, size := range ssh.ReadSizes(payload) {
			if size[0] < 20 || size[0] > 1000 || size[1] < 2 || size[1] > 1000 {
				t.Errorf("%q: a terminal of %v", payload, size)
			}
		}
		if name := ssh.PromptName(string(payload)); name == "" || len([]rune(name)) > 32 || strings.ContainsAny(name, "\x1b\n\r\t") {
			t.Errorf("%q: the prompt is %q", payload, name)
		}
	})
}
