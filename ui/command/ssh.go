package command

import (
	"context"
	"strconv"
	"time"

	"hexad/engine"
)

// SSH is the administrator's shell over SSH: what it shows of itself, and the
// keys that may sign in to it.
type SSH interface {
	Status(ctx context.Context) SSHStatus
	Keys(ctx context.Context) ([]SSHKey, error)
	// AddKey lets whoever has the key sign in as account. key is one line of a
	// .pub file. Errors: Invalid, NotFound (account), Conflict (it is there).
	AddKey(ctx context.Context, actor engine.Actor, account, key string) (SSHKey, error)
	// DeleteKey ends that, and the sessions that were begun with the key.
	// Errors: NotFound.
	DeleteKey(ctx context.Context, actor engine.Actor, account, fingerprint string) error
}

// SSHStatus is how the shell over SSH can be reached, and who is there.
type SSHStatus struct {
	Active      bool         `json:"active"`
	Address     string       `json:"address"` // host:port, "" while inactive
	Algorithm   string       `json:"algorithm"`
	Fingerprint string       `json:"fingerprint"` // of the host key, "SHA256:…"
	Sessions    []SSHSession `json:"sessions"`
}

// SSHSession is one session over SSH.
type SSHSession struct {
	Account string    `json:"account"`
	Source  string    `json:"source"`        // ip:port
	Key     string    `json:"key,omitempty"` // fingerprint, "" for a password
	Since   time.Time `json:"since"`
}

// SSHKey is one authorised key of an account.
type SSHKey struct {
	Account     string    `json:"account"`
	Key         string    `json:"key"` // "<algorithm> <base64>"
	Fingerprint string    `json:"fingerprint"`
	Comment     string    `json:"comment"`
	Added       time.Time `json:"added"`
	AddedBy     string    `json:"added_by"`
}

func (t *Table) sshEntries() []*Entry {
	if t.parts.SSH == nil {
		return nil
	}
	account := Argument{Name: "Account", Space: oneOf("admin", "root"), Default: "admin", Help: engine.Text{EN: "Account that signs in over SSH", JA: "SSH でサインインするアカウント"}}
	of := func(call Call) string {
		if a := call.Args["Account"]; a != "" {
			return a
		}
		return "admin"
	}
	return []*Entry{
		{Group: XCommand, Name: "SSHKeyList", Role: Auditor,
			Help:    engine.Text{EN: "Lists the public keys that may sign in over SSH on this system", JA: "このシステムに SSH でサインインできる公開鍵を一覧表示します"},
			Example: "xCommand SSHKeyList",
			run: func(ctx context.Context, call Call) (Result, error) {
				list, err := t.parts.SSH.Keys(ctx)
				if err != nil {
					return Result{}, err
				}
				rows := Rows{Columns: []string{"account", "fingerprint", "comment", "added", "by"}}
				for _, k := range list {
					rows.Rows = append(rows.Rows, []any{k.Account, k.Fingerprint, k.Comment, k.Added.Format(time.DateTime), k.AddedBy})
				}
				return Result{Data: list, Lines: rows.Table()}, nil
			}},
		{Group: XCommand, Name: "SSHKeyAdd", Role: Administrator, Writes: true,
			Args:    []Argument{account, {Name: "Key", Space: chars(1, 8192), Required: true, Help: engine.Text{EN: "Public key: one line of a .pub file", JA: "公開鍵(.pub ファイルの 1 行)"}}},
			Help:    engine.Text{EN: "Lets whoever has a key sign in over SSH on this system", JA: "鍵の所有者がこのシステムに SSH でサインインできるようにします"},
			Example: `xCommand SSHKeyAdd Account: admin Key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB4DO1hmZ3dMcIvY5UJU1t3jH7E3m3nMX1v5yq9h8c0X anna"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				k, err := t.parts.SSH.AddKey(ctx, call.Actor, of(call), call.Args["Key"])
				if err != nil {
					return Result{}, err
				}
				return Result{Data: k, Lines: results(Tree("SSHKeyAdd", text("Account", k.Account), text("Fingerprint", k.Fingerprint), text("Comment", k.Comment)))}, nil
			}},
		{Group: XCommand, Name: "SSHKeyDelete", Role: Administrator, Writes: true,
			Args:    []Argument{account, {Name: "Fingerprint", Space: chars(1, 128), Required: true, Help: engine.Text{EN: "Fingerprint, as SSHKeyList shows it", JA: "SSHKeyList が表示するフィンガープリント"}}},
			Help:    engine.Text{EN: "Takes a key away; sessions that were begun with it end", JA: "鍵を削除します。その鍵で開始したセッションは終了します"},
			Example: `xCommand SSHKeyDelete Account: admin Fingerprint: "SHA256:cJ5f2m1Wk0s3nQ9tq0mYwq6X6s7m8kq1v0b2n3x4y5Z"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.SSH.DeleteKey(ctx, call.Actor, of(call), call.Args["Fingerprint"])
			}},
	}
}

// ssh is how to reach the shell over SSH, and what to compare before trusting it.
func (t *Table) ssh(ctx context.Context, _ engine.Language) (*Node, any, error) {
	s := t.parts.SSH.Status(ctx)
	state := "Inactive"
	if s.Active {
		state = "Active"
	}
	tree := Tree("SSH", word("Status", state), text("Address", s.Address), Tree("HostKey", word("Algorithm", s.Algorithm), text("Fingerprint", s.Fingerprint)))
	for i, one := range s.Sessions {
		n := Tree("Session "+strconv.Itoa(i+1), text("Account", one.Account), text("Source", one.Source), moment("Since", one.Since))
		if one.Key != "" {
			n.add(text("Key", one.Key))
		}
		tree.add(n)
	}
	return tree, s, nil
}
