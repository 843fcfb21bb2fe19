package backup_test

import (
	"bytes"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/backup"
)

// TestClusterBackup: each member's own backup comes out as it went in, by any
// of its names; one that is missing is named; a damaged archive is refused.
func TestClusterBackup(t *testing.T) {
	t.Parallel()
	first, second := written(t), written(t)
	var b bytes.Buffer
	m, err := backup.WriteCluster(&b, passphrase, backup.ClusterManifest{Release: "1.2.3", Cluster: "hq.example.com", By: "192.0.2.1",
		Taken: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Members: []backup.Member{
			{Node: "n1", Address: "192.0.2.1", System: "one", Serial: "AAAA", Name: "a"},
			{Node: "n2", Address: "192.0.2.2", System: "two", Serial: "BBBB", Name: "b"},
			{Node: "n3", Address: "192.0.2.3", Missing: "no answer"},
		}}, [][]byte{first, second, nil})
	if err != nil || m.FileName() != "1.2.3_hq.example.com_20260304_050607_cluster_backup.tar.gz.age" {
		t.Fatalf("%s: %v", m.FileName(), err)
	}
	for want, part := range map[string][]byte{"192.0.2.1": first, "ONE": first, "AAAA": first, "n2": second, "two": second} {
		got, of, err := backup.Extract(b.Bytes(), passphrase, want)
		if err != nil || !bytes.Equal(got, part) || len(of.Members) != 3 {
			t.Errorf("%s: %d bytes, %v", want, len(got), err)
		}
	}
	if got, of, err := backup.Extract(first, passphrase, "anything"); err != nil || of != nil || !bytes.Equal(got, first) {
		t.Errorf("of one peer: %v, %v", of, err)
	}
	flipped := bytes.Clone(b.Bytes())
	flipped[len(flipped)-200] ^= 1
	for name, c := range map[string]struct {
		file             []byte
		passphrase, want string
		code             engine.Code
	}{
		"missing":    {b.Bytes(), passphrase, "192.0.2.3", engine.NotFound},
		"not named":  {b.Bytes(), passphrase, "", engine.NotFound},
		"passphrase": {b.Bytes(), "not the passphrase", "one", engine.Denied},
		"damaged":    {flipped, passphrase, "one", engine.Invalid},
		"cut off":    {b.Bytes()[:b.Len()-300], passphrase, "one", engine.Invalid},
		"no backup":  {[]byte("text"), passphrase, "one", engine.Invalid},
	} {
		if _, _, err := backup.Extract(c.file, c.passphrase, c.want); engine.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if _, err := backup.WriteCluster(&bytes.Buffer{}, "short", m, nil); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("a short passphrase: %v", err)
	}
}
