package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"hexad/engine"
)

// maxRows is the most rows that SQL answers in the shell.
const maxRows = 1000

func (t *Table) systemEntries() []*Entry {
	out := []*Entry{t.checkPattern()}
	if t.parts.Alarms != nil {
		out = append(out, t.alarmAcknowledge())
	}
	if t.parts.Host != nil {
		out = append(out, t.dnsLookup())
	}
	if t.parts.Accounts != nil {
		out = append(out, t.passwordSet())
	}
	if t.parts.Diagnostics != nil {
		out = append(out, t.sql())
	}
	if t.parts.Keys != nil {
		out = append(out, t.keyEntries()...)
	}
	return out
}

func (t *Table) dnsLookup() *Entry {
	return &Entry{Group: XCommand, Name: "DNSLookup", Role: Auditor,
		Args: []Argument{
			{Name: "Hostname", Space: chars(1, 255), Required: true, Help: engine.Text{EN: "Name or IP address to ask for", JA: "問い合わせる名前または IP アドレス"}},
			{Name: "RecordType", Space: oneOf("all", "a", "aaaa", "srv", "naptr", "ptr"), Default: "all", Help: engine.Text{EN: "Kind of record", JA: "レコードの種類"}},
		},
		Help:    engine.Text{EN: "Asks the configured DNS servers", JA: "設定された DNS サーバに問い合わせます"},
		Example: `xCommand DNSLookup Hostname: "peer1.example.com" RecordType: a`,
		run: func(ctx context.Context, call Call) (Result, error) {
			kind := call.Args["RecordType"]
			if kind == "" {
				kind = "all"
			}
			records, err := t.parts.Host.Lookup(ctx, call.Args["Hostname"], kind)
			if err != nil {
				return Result{}, err
			}
			tree := Tree("DNSLookup")
			for i, r := range records {
				tree.add(text("Record "+strconv.Itoa(i+1), r))
			}
			return Result{Data: records, Lines: results(tree)}, nil
		}}
}

func (t *Table) passwordSet() *Entry {
	names := oneOf("admin")
	if t.parts.Roster != nil {
		names = chars(1, 32)
	}
	return &Entry{Group: XCommand, Name: "AccountPasswordSet", Role: Administrator, Writes: true,
		Args: []Argument{
			{Name: "Account", Space: names, Default: "admin", Help: engine.Text{EN: "Account of this system", JA: "このシステムのアカウント"}},
			{Name: "Password", Space: chars(8, 1024), Required: true, Secret: true, Help: engine.Text{EN: "New password, at least 8 characters", JA: "新しいパスワード(8 文字以上)"}},
		},
		Help:    engine.Text{EN: "Sets the password of an account, the administrator's without one; open sessions end", JA: "アカウント(省略時は管理者)のパスワードを設定します。開いているセッションは終了します"},
		Example: `xCommand AccountPasswordSet Password: "correct horse battery"`,
		run: func(ctx context.Context, call Call) (Result, error) {
			account := call.Args["Account"]
			if account == "" {
				account = "admin"
			}
			return Result{}, t.parts.Accounts.SetPassword(ctx, call.Actor, account, call.Args["Password"])
		}}
}

func (t *Table) sql() *Entry {
	return &Entry{Group: XCommand, Name: "SQL", Role: Auditor,
		Args: []Argument{
			{Name: "Statement", Space: chars(1, MaxLine), Required: true, Help: engine.Text{EN: "One SELECT, WITH or EXPLAIN over the diag_ views", JA: "diag_ ビューに対する SELECT、WITH、EXPLAIN のいずれか 1 文"}},
			{Name: "Database", Space: oneOf("cluster", "local"), Default: "cluster", Help: engine.Text{EN: "cluster: equal on all peers; local: this system's own", JA: "cluster: 全ピア共通、local: このシステム固有"}},
			{Name: "Limit", Space: from(1, maxRows), Default: strconv.Itoa(maxRows), Help: engine.Text{EN: "Most rows", JA: "最大行数"}},
		},
		Help:    engine.Text{EN: "Asks a database; nothing can be changed this way", JA: "データベースに問い合わせます。変更はできません"},
		Example: `xCommand SQL Statement: "SELECT name FROM diag_zone ORDER BY name"`,
		run: func(ctx context.Context, call Call) (Result, error) {
			database, limit := "cluster", maxRows
			if d := call.Args["Database"]; d != "" {
				database = d
			}
			if n, err := strconv.Atoi(call.Args["Limit"]); err == nil {
				limit = n
			}
			rows, err := t.parts.Diagnostics.Query(ctx, database, call.Args["Statement"], limit)
			if err != nil {
				return Result{}, err
			}
			for _, row := range rows.Rows {
				for i, cell := range row {
					if blob, ok := cell.([]byte); ok {
						row[i] = hex.EncodeToString(blob)
					}
				}
			}
			return Result{Data: rows, Lines: rows.counted()}, nil
		}}
}

// Table writes the columns' names and the rows, aligned.
func (r Rows) Table() []string {
	if len(r.Columns) == 0 {
		return nil
	}
	cells := [][]string{r.Columns}
	for _, row := range r.Rows {
		line := make([]string, len(r.Columns))
		for i := range min(len(line), len(row)) {
			line[i] = Cell(row[i])
		}
		cells = append(cells, line)
	}
	widths := make([]int, len(r.Columns))
	for _, line := range cells {
		for i, c := range line {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	var out []string
	for _, line := range cells {
		var b strings.Builder
		for i, c := range line {
			fmt.Fprintf(&b, "%-*s  ", widths[i], c)
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

// counted is Table with the number of rows below.
func (r Rows) counted() []string {
	if r.Truncated {
		return append(r.Table(), fmt.Sprintf("(the first %d rows; there are more)", len(r.Rows)))
	}
	return append(r.Table(), fmt.Sprintf("(%d rows)", len(r.Rows)))
}

// Cell writes one value of a row for people: NULL, numbers, texts on one line.
func Cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(v)
	}
	return fmt.Sprint(v)
}
