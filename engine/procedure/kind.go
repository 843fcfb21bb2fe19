package procedure

import "hexad/engine"

// Kind is one kind of procedure, for the faces.
type Kind struct {
	Name  string // as ProcedureStart takes it
	Title engine.Text
	Args  []string // that it takes; those with * are required
	gate  string   // its name for the rules
	plan  func(*situation) ([]engine.ProcedureStep, error)
}

// The names of the kinds.
const (
	Create        = "Create"
	Add           = "Add"
	Names         = "Names"
	Mapping       = "Mapping"
	Enforce       = "Enforce"
	Permit        = "Permit"
	Primary       = "Primary"
	Remove        = "Remove"
	RemoveLost    = "RemoveLost"
	Recover       = "Recover"
	Disband       = "Disband"
	ChangeAddress = "ChangeAddress"
	Replace       = "Replace"
	Restart       = "Restart"
	Resynchronise = "Resynchronise"
)

// Kinds are all kinds, in the order in which a cluster meets them.
//
// Source: the seed; reference 2.2 to 2.16.
var Kinds = []Kind{
	{Create, engine.Text{EN: "Create a cluster with this system as its first peer", JA: "このシステムを最初のピアとしてクラスタを作成"}, []string{"Name", "Address", "IPVersion"}, "create_cluster", planCreate},
	{Add, engine.Text{EN: "Add a peer", JA: "ピアの追加"}, []string{"*Address"}, "add_peer", planAdd},
	{Names, engine.Text{EN: "Change peer addresses to names (FQDNs)", JA: "ピアアドレスを名前(FQDN)に変更"}, []string{"Peer1", "Peer2", "Peer3", "Peer4", "Peer5", "Peer6"}, "change_names", planNames},
	{Mapping, engine.Text{EN: "Set up the cluster address mapping", JA: "クラスタアドレスマッピングの設定"}, []string{"Peer1", "Peer2", "Peer3", "Peer4", "Peer5", "Peer6"}, "address_mapping", planMapping},
	{Enforce, engine.Text{EN: "Enforce TLS verification", JA: "TLS 検証の強制"}, nil, "tls_mode", planEnforce},
	{Permit, engine.Text{EN: "Go back to permissive TLS verification", JA: "TLS 検証を許可モードに戻す"}, nil, "tls_mode", planPermit},
	{Primary, engine.Text{EN: "Change the configuration primary", JA: "設定プライマリの変更"}, []string{"*Address", "Force"}, "change_primary", planPrimary},
	{Remove, engine.Text{EN: "Remove a peer that answers", JA: "応答するピアの削除"}, []string{"*Address"}, "remove_peer", planRemove},
	{RemoveLost, engine.Text{EN: "Remove a peer that is lost", JA: "失われたピアの削除"}, []string{"*Address"}, "remove_peer", planRemoveLost},
	{Recover, engine.Text{EN: "Recover a lost peer as the last entry", JA: "失われたピアを最後のエントリとして復旧"}, []string{"*Address"}, "recover_peer", planRecover},
	{Disband, engine.Text{EN: "Disband the cluster down to one peer", JA: "クラスタを 1 ピアまで解体"}, nil, "disband", planDisband},
	{ChangeAddress, engine.Text{EN: "Change the address of a peer", JA: "ピアのアドレスの変更"}, []string{"*Address", "*NewAddress"}, "change_address", planReplace},
	{Replace, engine.Text{EN: "Replace a peer by another system", JA: "ピアの交換"}, []string{"*Address", "*NewAddress"}, "replace_peer", planReplace},
	{Restart, engine.Text{EN: "Restart all peers in sequence, the primary first", JA: "プライマリから順に全ピアを再起動"}, nil, "restart_sequence", planRestart},
	{Resynchronise, engine.Text{EN: "Take the primary's configuration on a peer anew", JA: "ピアの設定をプライマリから再同期"}, []string{"Address"}, "force_config_update", planResynchronise},
}

// kindNamed is the kind of that name.
// Errors: Invalid.
func kindNamed(name string) (Kind, error) {
	for _, k := range Kinds {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind{}, engine.Errorf(engine.Invalid, "there is no procedure %q", name).With("Kind", "ProcedureStart ? lists them")
}
