package sqlstore_test

import (
	"slices"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
)

// FuzzForwarded hands any bytes over as a batch of another member: they are
// refused as no batch, or get as far as a store that is not open.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{
		`{"operation":"a","revision":1,"at_ms":2,"statements":[{"sql":"INSERT INTO item (path) VALUES (?)","args":["x",7,null]}]}`,
		`{"operation":"a","statements":[{"sql":"DROP TABLE item"}]}`, `{"operation":"a","statements":[{"sql":"DELETE FROM item; SELECT 1"}]}`,
		`{"operation":"a","statements":[{"sql":"UPDATE item SET value = ?","args":[1.5]}]}`, `{"operation":"","statements":[]}`, `{} {}`, `[`,
	} {
		f.Add([]byte(seed))
	}
	c := sqlstore.NewCluster(sqlstore.ClusterOptions{Dir: f.TempDir(), Node: "n1", Release: "1.0.0"})
	f.Fuzz(func(t *testing.T, batch []byte) {
		out, err := c.ApplyForwarded(t.Context(), batch)
		if code := engine.CodeOf(err); out != nil || !slices.Contains([]engine.Code{engine.Invalid, engine.Unavailable}, code) {
			t.Fatalf("%q: %q, %v", batch, out, err)
		}
	})
}
