package command

import (
	"context"

	"hexad/engine"
)

// Purges removes this system's cluster database.
type Purges interface {
	// Plan says what is lost, and whether it can be done here.
	Plan(ctx context.Context) (engine.PurgePlan, error)
	// Purge restarts this system without its cluster database, which is moved aside.
	// Errors: Denied (the name typed is another), Conflict (in a cluster), Unavailable.
	Purge(ctx context.Context, actor engine.Actor, name string) (engine.PurgePlan, error)
}

var purgeName = Argument{Name: "SystemName", Space: chars(1, 128), Required: true,
	Help: engine.Text{EN: "Type the name of this system to remove its cluster database", JA: "クラスタデータベースを削除するには、このシステムの名前を入力してください"}}

func (t *Table) purgeEntries() []*Entry {
	if t.parts.Purges == nil {
		return nil
	}
	return []*Entry{
		{Group: XCommand, Name: "ClusterDatabasePurgeShow", Role: Auditor, Backup: true,
			Help:    engine.Text{EN: "Says what removing this system's cluster database would lose; changes nothing", JA: "このシステムのクラスタデータベースを削除した場合に失われるものを表示します。何も変更しません"},
			Example: "xCommand ClusterDatabasePurgeShow",
			run: func(ctx context.Context, call Call) (Result, error) {
				plan, err := t.parts.Purges.Plan(ctx)
				return Result{Data: plan, Lines: purgeLines(call.Language, plan)}, err
			}},
		{Group: XCommand, Name: "ClusterDatabasePurge", Role: Administrator, Writes: true, Root: true, Backup: true, Args: []Argument{purgeName},
			Help: engine.Text{EN: "Removes this system's cluster database (alarm 15005, last resort): it is moved aside, and a backup can then be restored; clusterdb_destroy_and_purge_data at the prompt asks first",
				JA: "このシステムのクラスタデータベースを削除します(アラーム 15005 の最終手段)。データは退避され、その後バックアップを復元できます。プロンプトで clusterdb_destroy_and_purge_data と入力すると確認しながら実行します"},
			Example: `xCommand ClusterDatabasePurge SystemName: "peer2"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				plan, err := t.parts.Purges.Purge(ctx, call.Actor, call.Args[purgeName.Name])
				if err != nil {
					return Result{}, err
				}
				return Result{Data: plan, Following: "reset/progress", Lines: []string{
					say(call.Language, engine.Text{EN: "this system restarts without its cluster database, which is moved to ", JA: "このシステムはクラスタデータベースなしで再起動します。データの退避先: "}) + plan.Aside,
					say(call.Language, engine.Text{EN: "then restore its backup: hexad restore --confirm FILE", JA: "その後バックアップを復元してください: hexad restore --confirm FILE"})}}, nil
			}},
	}
}

func purgeLines(l engine.Language, p engine.PurgePlan) []string {
	var out []string
	for _, lost := range p.Lost {
		out = append(out, say(l, engine.Text{EN: "lost: ", JA: "失われる: "})+say(l, lost))
	}
	out = append(out, say(l, engine.Text{EN: "kept: this system's own settings, accounts, certificate and keys", JA: "保持: このシステム固有の設定、アカウント、証明書、鍵"}),
		say(l, engine.Text{EN: "the database is not deleted but moved to: ", JA: "データベースは削除されず、次の場所に移動されます: "})+p.Aside,
		say(l, engine.Text{EN: "name of this system: ", JA: "このシステムの名前: "})+p.Name)
	if p.Refused != "" {
		out = append(out, say(l, engine.Text{EN: "It cannot be done now: ", JA: "現在は実行できません: "})+p.Refused)
	}
	return out
}
