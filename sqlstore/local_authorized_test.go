package sqlstore_test

import (
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

func TestAuthorizedKeys(t *testing.T) {
	t.Parallel()
	ctx, l := t.Context(), sqlstoretest.Local(t)
	for _, name := range []string{"admin", "root"} {
		if err := l.PutAccount(ctx, sqlstore.Account{Name: name, Role: "r", Hash: "h"}); err != nil {
			t.Fatal(err)
		}
	}
	key := sqlstore.AuthorizedKey{Account: "admin", Fingerprint: "SHA256:a", Line: "ssh-ed25519 AAAA", Comment: "anna", Added: noon, AddedBy: "root"}
	if err := l.AddAuthorizedKey(ctx, key); err != nil {
		t.Fatal(err)
	}
	if err := l.AddAuthorizedKey(ctx, key); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("the same key again: %v, want conflict", err)
	}
	other := key
	other.Account = "root"
	if err := l.AddAuthorizedKey(ctx, other); err != nil {
		t.Errorf("the same key of another account: %v", err)
	}
	other.Account = "nobody"
	if err := l.AddAuthorizedKey(ctx, other); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("a key of nobody: %v, want not found", err)
	}
	if got, err := l.AuthorizedKeys(ctx); err != nil || len(got) != 2 || got[0] != key || got[1].Account != "root" {
		t.Errorf("keys = %+v, %v", got, err)
	}
	has := func(account, fingerprint string, want bool) {
		t.Helper()
		if got, err := l.Authorized(ctx, account, fingerprint); got != want || err != nil {
			t.Errorf("%s has %s: %v, %v, want %v", account, fingerprint, got, err, want)
		}
	}
	has("admin", "SHA256:a", true)
	has("admin", "SHA256:b", false)
	has("nobody", "SHA256:a", false)
	if err := l.DeleteAuthorizedKey(ctx, "admin", "SHA256:a"); err != nil {
		t.Error(err)
	}
	if err := l.DeleteAuthorizedKey(ctx, "admin", "SHA256:a"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("deleted again: %v, want not found", err)
	}
	has("admin", "SHA256:a", false)
	if err := l.DeleteAccount(ctx, "root"); err != nil {
		t.Error(err)
	}
	has("root", "SHA256:a", false)
}

// A reset keeps an account with its password and no more: whoever had a key
// does not get in with it.
func TestResetTakesAuthorizedKeysAway(t *testing.T) {
	t.Parallel()
	ctx, l := t.Context(), sqlstoretest.Local(t)
	if err := l.PutAccount(ctx, sqlstore.Account{Name: "admin", Role: "r", Hash: "h"}); err != nil {
		t.Fatal(err)
	}
	if err := l.AddAuthorizedKey(ctx, sqlstore.AuthorizedKey{Account: "admin", Fingerprint: "SHA256:a", Line: "ssh-ed25519 AAAA", Added: noon}); err != nil {
		t.Fatal(err)
	}
	if err := l.Reset(ctx, sqlstore.Keepable); err != nil {
		t.Fatal(err)
	}
	if found, err := l.Authorized(ctx, "admin", "SHA256:a"); found || err != nil {
		t.Errorf("after a reset the key is trusted: %v, %v", found, err)
	}
	if _, err := l.Account(ctx, "admin"); err != nil {
		t.Errorf("the account: %v", err)
	}
}
