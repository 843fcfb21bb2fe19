package command

import (
	"context"
	"time"

	"hexad/engine"
)

// Account is one account of this system, as it is listed.
type Account struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Created time.Time `json:"created"`
	Changed time.Time `json:"changed"`
}

// Roster keeps the accounts of this system.
type Roster interface {
	List(ctx context.Context) ([]Account, error)
	// Add makes an account. Errors: Invalid (name, password), Conflict (it is there).
	Add(ctx context.Context, actor engine.Actor, name, password string, role Role) error
	// Delete ends an account and its sessions. Errors: Invalid (one that stays), NotFound.
	Delete(ctx context.Context, actor engine.Actor, name string) error
}

func (t *Table) accountEntries() []*Entry {
	if t.parts.Roster == nil {
		return nil
	}
	name := Argument{Name: "Account", Space: chars(1, 32), Required: true, Help: engine.Text{EN: "Name of the account", JA: "アカウントの名前"}}
	return []*Entry{
		{Group: XCommand, Name: "AccountList", Role: Auditor,
			Help:    engine.Text{EN: "Lists the accounts of this system", JA: "このシステムのアカウントを一覧表示します"},
			Example: "xCommand AccountList",
			run: func(ctx context.Context, call Call) (Result, error) {
				list, err := t.parts.Roster.List(ctx)
				if err != nil {
					return Result{}, err
				}
				rows := Rows{Columns: []string{"account", "role", "created", "changed"}}
				for _, a := range list {
					rows.Rows = append(rows.Rows, []any{a.Name, string(a.Role), a.Created.Format(time.DateTime), a.Changed.Format(time.DateTime)})
				}
				return Result{Data: list, Lines: rows.Table()}, nil
			}},
		{Group: XCommand, Name: "AccountAdd", Role: Administrator, Writes: true,
			Args: []Argument{name,
				{Name: "Password", Space: chars(8, 1024), Required: true, Secret: true, Help: engine.Text{EN: "Password, at least 8 characters", JA: "パスワード(8 文字以上)"}},
				{Name: "Role", Space: oneOf(string(Administrator), string(Auditor), string(PolicyAuthor), string(PolicyApprover)), Required: true, Help: engine.Text{EN: "What it may do", JA: "権限"}}},
			Help:    engine.Text{EN: "Adds an account of this system", JA: "このシステムにアカウントを追加します"},
			Example: `xCommand AccountAdd Account: "anna" Password: "correct horse battery" Role: policy_author`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Roster.Add(ctx, call.Actor, call.Args["Account"], call.Args["Password"], Role(call.Args["Role"]))
			}},
		{Group: XCommand, Name: "AccountDelete", Role: Administrator, Writes: true, Args: []Argument{name},
			Help:    engine.Text{EN: "Deletes an account of this system and ends its sessions", JA: "このシステムのアカウントを削除し、セッションを終了します"},
			Example: `xCommand AccountDelete Account: "anna"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Roster.Delete(ctx, call.Actor, call.Args["Account"])
			}},
	}
}
