package appliance_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
	commands "hexad/ui/command"
)

// TestSnapshotHasNoSecrets: what each kind holds, and that no secret of this
// system is in any of it, in no form.
func TestSnapshotHasNoSecrets(t *testing.T) {
	t.Parallel()
	p := beside1(t, "127.0.121.70", "visible")
	p.Exec(`xConfiguration SNMP V3AuthenticationPassword: "%s"`, canary)
	p.Exec(`xConfiguration Authentication Password: "%s"`, canary)
	p.Exec(`xCommand AccountPasswordSet Password: "%s"`, canary+" password")
	_, err := p.Try(`xCommand AccountPasswordSet Password: "` + canary + `" Nonsense: "` + canary + `"`)
	if err == nil {
		t.Error("nonsense was taken")
	}
	requested(t, p, "ECDSA") // a key that waits
	backedUp(t, p)
	found := map[string]string{}
	for _, c := range []struct{ kind, has, lacks string }{
		{"Status", "configuration.txt", "events.log"}, {"Logs", "events.log", "configuration.txt"}, {"Full", "sql/cluster/diag_zone.json", ""},
	} {
		var taken commands.Snapshot
		var files map[string]string
		p.Await("the log that is kept ends with the backup", 5*time.Second, func() string {
			answered(t, p, "SystemSnapshot", map[string]string{"Kind": c.kind}, &taken)
			if files = unpacked(t, taken.File); c.has == "events.log" && !strings.Contains(files["events.log"], "Completed System Backup") {
				return "not yet"
			}
			return ""
		})
		if files[c.has] == "" || c.lacks != "" && files[c.lacks] != "" || !slices.Contains(taken.Files, c.has) {
			t.Errorf("%s holds %v", c.kind, taken.Files)
		}
		for name, text := range files {
			found[c.kind+" "+name] = text
		}
	}
	if !strings.Contains(found["Full configuration.txt"], "visible") || !strings.Contains(found["Full events.log"], "Completed System Backup") ||
		!strings.Contains(found["Full status.txt"], "SystemUnit") {
		t.Errorf("the full one lacks what it is for: the log ends with %s", found["Full events.log"][max(0, len(found["Full events.log"])-600):])
	}
	p.Stop()
	key, err := os.ReadFile(filepath.Join(p.Dir, "system.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{"a canary": []byte(canary), "the passphrase of a backup": []byte(backupPassphrase), "the system key": key}
	appliancetest.Offline(t, p, func(ctx context.Context, l *sqlstore.Local) error {
		id, err := l.Identity(ctx)
		c, err2 := l.Credentials(ctx)
		waits, err3 := l.PendingKey(ctx)
		account, err4 := l.Account(ctx, "admin")
		secrets["the cluster secret"], secrets["the private key"], secrets["the key that waits"], secrets["the password's hash"] = id.Secret, body(c.PrivateKey), body(waits.PrivateKey), []byte(account.Hash)
		return errors.Join(err, err2, err3, err4)
	})
	for what, secret := range secrets {
		if len(secret) < 8 {
			t.Errorf("%s has %d bytes", what, len(secret))
			continue
		}
		forms := []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret)}
		for name, text := range found {
			for _, form := range forms {
				if strings.Contains(text, form) {
					t.Errorf("%s shows %s", name, what)
				}
			}
		}
	}
	for name, text := range found {
		for _, word := range []string{"PRIVATE KEY", sqlstore.SealedPrefix} {
			if strings.Contains(text, word) {
				t.Errorf("%s holds %q", name, word)
			}
		}
	}
}

// body is a line from the middle of a PEM text.
func body(pem []byte) []byte {
	if lines := bytes.Split(pem, []byte("\n")); len(lines) > 2 {
		return lines[1]
	}
	return nil
}

func unpacked(t *testing.T, file []byte) map[string]string {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for packed := tar.NewReader(zipped); ; {
		h, err := packed.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(packed)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(text)
	}
}
