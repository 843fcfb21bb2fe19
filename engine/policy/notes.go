package policy

import "hexad/engine"

// note is what one field means, and its values where they are few.
type note struct {
	text engine.Text
	enum []string
}

// noteOf finds a field's note by the type that declares it, or by its name
// alone where the name means the same everywhere.
func noteOf(typeName, field string) note {
	if n, ok := notes[typeName+"."+field]; ok {
		return n
	}
	return notes[field]
}

// enums are the values of named text types.
var enums = map[string][]string{
	"Protocol": {string(engine.SIP), string(engine.H323)},
	"Severity": severityNames(),
	"TLSMode":  {string(engine.Permissive), string(engine.Enforcing)},
	"Role":     {string(engine.Core), string(engine.Edge)},
	"Occasion": {string(engine.OnSave), string(engine.OnJoin), string(engine.OnKeys), string(engine.OnPeriodic)},
}

func severityNames() []string {
	var out []string
	for _, s := range engine.Severities {
		out = append(out, string(s))
	}
	return out
}

func says(en, ja string, enum ...string) note { return note{engine.Text{EN: en, JA: ja}, enum} }

// notes say what every field of an input or an answer means, by "Type.field"
// or by "field". The tests find a field without one.
var notes = map[string]note{
	"now":      says("the time of the decision, unix seconds", "判定の時刻（UNIX秒）"),
	"revision": says("the policy revision that answers", "回答するポリシーのリビジョン"),
	"self":     says("this peer", "このピア"),
	"cluster":  says("the cluster as it runs here", "ここで動作しているクラスタ"),
	"peers":    says("the peers that are in, this one among them", "参加中のピア（このピアを含む）"),
	"occasion": says("why the question is asked; in a save or a join an error blocks", "質問の契機。保存と参加ではエラーが処理を止めます"),

	"name":            says("the cluster name", "クラスタ名"),
	"ip_version":      says("the cluster IP version", "クラスタのIPバージョン", "IPv4", "IPv6"),
	"tls_mode":        says("the TLS verification mode", "TLS検証モード"),
	"primary_index":   says("the entry that is the configuration primary", "設定プライマリの項目番号"),
	"size":            says("addresses in the running list", "動作中の一覧にあるアドレスの数"),
	"mapping_enabled": says("whether the cluster address mapping is on", "クラスタアドレスマッピングが有効か"),
	"mapping":         says("pairs of the cluster address mapping", "クラスタアドレスマッピングの組"),
	"peer_addresses":  says("the peer addresses, without gaps", "ピアのアドレス（空欄なし）"),
	"fields":          says("the six address fields as typed, \"\" for a blank one", "入力されたままの6つのアドレス欄。空欄は\"\""),
	"restart_pending": says("whether saved values wait for a restart", "保存した値が再起動を待っているか"),

	"PeerRecord.index":                  says("its entry in the list from 1, 0 when it is not listed", "一覧での番号（1から）。一覧にないときは0"),
	"PeerRecord.address":                says("its address as listed", "一覧にあるアドレス"),
	"PeerRecord.this_system":            says("whether it is this peer", "このピア自身か"),
	"PeerRecord.state":                  says("how this peer sees it", "このピアから見た状態", "active", "failed", "unknown", "joining"),
	"PeerRecord.reachable":              says("whether it answers; what follows is as last heard when it does not", "応答しているか。応答がないとき、以下は最後に聞いた値です"),
	"PeerRecord.rtt_ms":                 says("round trip from this peer in ms; nil when not measured", "このピアからの往復遅延（ミリ秒）。未測定ならnil"),
	"PeerRecord.rtts":                   says("round trips that it measured to the other addresses, in ms", "そのピアが測った各アドレスへの往復遅延（ミリ秒）"),
	"PeerRecord.version":                says("its software version", "ソフトウェアバージョン"),
	"PeerRecord.product":                says("its product", "製品", "expressway", "vcs"),
	"PeerRecord.role":                   says("what it is deployed as", "役割"),
	"PeerRecord.hardware":               says("what it runs on", "ハードウェア"),
	"PeerRecord.h323_mode":              says("whether H.323 mode is on", "H.323モードがオンか"),
	"PeerRecord.nics":                   says("network interfaces in use", "使用中のネットワークインターフェイスの数"),
	"PeerRecord.cluster_nic":            says("which of them the cluster uses", "クラスタが使うインターフェイス", "single", "internal", "external"),
	"PeerRecord.static_nat":             says("its public address under static NAT; nil without", "スタティックNATの公開アドレス。なければnil"),
	"PeerRecord.seen_address":           says("where its packets come from; nil when unknown", "パケットの送信元アドレス。不明ならnil"),
	"PeerRecord.nat_seen":               says("whether its packets come from an address that it does not have", "自身の持たないアドレスからパケットが届いているか"),
	"PeerRecord.ip_version":             says("its cluster IP version", "クラスタのIPバージョン", "IPv4", "IPv6"),
	"PeerRecord.addresses":              says("its own IP addresses", "自身のIPアドレス"),
	"PeerRecord.system_name":            says("its system name", "システム名"),
	"PeerRecord.host_name":              says("its host name", "ホスト名"),
	"PeerRecord.domain":                 says("its DNS domain", "DNSドメイン"),
	"PeerRecord.dns_ok":                 says("whether it resolves every peer", "すべてのピアを名前解決できるか"),
	"PeerRecord.dns_servers":            says("its DNS servers", "DNSサーバ"),
	"PeerRecord.dns_failures":           says("names that it cannot resolve, with the reason", "名前解決できない名前とその理由"),
	"PeerRecord.ntp":                    says("whether its time is right", "時刻の状態"),
	"PeerRecord.upgraded_since_install": says("whether a software image for a factory reset is there", "工場出荷時リセット用のイメージがあるか"),
	"PeerRecord.keys":                   says("its option keys", "オプションキー"),
	"PeerRecord.certificate":            says("its server certificate", "サーバ証明書"),
	"PeerRecord.config":                 says("what its own clustering page says", "そのピアのクラスタリングページの内容"),
	"PeerRecord.calls":                  says("its calls", "通話"),
	"PeerRecord.registrations":          says("its registrations", "登録"),

	"HardwareRecord.class":      says("equal on peers that fit together", "組み合わせられるピアでは等しい値"),
	"HardwareRecord.size":       says("its size", "規模", "small", "medium", "large", "appliance"),
	"NTPRecord.servers":         says("its NTP servers", "NTPサーバ"),
	"NTPRecord.synced":          says("whether its time is synchronized", "時刻が同期しているか"),
	"NTPRecord.offset_ms":       says("how far its clock is off, in ms", "時刻のずれ（ミリ秒）"),
	"NTPRecord.state":           says("the state in words", "状態"),
	"KeyRecord.family":          says("what the key unlocks", "キーの種類"),
	"KeyRecord.count":           says("how many it grants; nil for a feature", "許可する数。機能のキーではnil"),
	"CertificateRecord.valid":   says("whether it passes", "検証に通るか"),
	"CertificateRecord.reason":  says("why it does not", "通らない理由"),
	"not_after":                 says("its end, unix seconds; 0 when unknown", "有効期限（UNIX秒）。不明なら0"),
	"cn":                        says("common name of the certificate", "証明書のコモンネーム"),
	"sans":                      says("subject alternative names of the certificate", "証明書のサブジェクト代替名"),
	"chain_ok":                  says("whether this peer trusts the chain", "証明書チェーンを信頼できるか"),
	"PeerConfigRecord.revision": says("the configuration revision that it has", "そのピアが持つ設定のリビジョン"),

	"ClusterInput.current":       says("the page as saved before", "これまでに保存されたページ"),
	"ClusterInput.proposed":      says("the page as it shall be; equal to current in the periodic run", "これから保存されるページ。定期実行ではcurrentと同じ"),
	"ClusterInput.running":       says("the page in effect", "動作中のページ"),
	"ClusterInput.changed":       says("names of the fields that change", "変更される項目の名前"),
	"ClusterInput.resolved":      says("what the resolver knows of each address", "各アドレスの名前解決の結果"),
	"ClusterInput.neighbours":    says("zones that name other systems", "他のシステムを指定しているゾーン"),
	"procedure":                  says("kind of what was begun last on any peer, within ten minutes; nil for nothing", "いずれかのピアで10分以内に最後に開始された操作の種類。なければnil"),
	"Resolution.address":         says("the address as listed", "一覧にあるアドレス"),
	"Resolution.ips":             says("what it resolves to", "名前解決で得たアドレス"),
	"Resolution.failure":         says("why it does not resolve; nil when it does", "解決できない理由。解決できればnil"),
	"zone":                       says("name of the zone", "ゾーンの名前"),
	"NeighbourRecord.type":       says("type of the zone", "ゾーンの種類"),
	"NeighbourRecord.addresses":  says("the systems that it names", "指定しているシステム"),
	"Mapping.fqdn":               says("the public name", "公開名"),
	"Mapping.ip":                 says("the address that peers use for it", "ピアがその名前に使うアドレス"),
	"KeysInput.product":          says("the product, which decides what is pooled", "製品。プールされるキーの種類が決まります", "expressway", "vcs"),
	"candidate":                  says("the peer that would join; nil in the periodic run", "参加しようとするピア。定期実行ではnil"),
	"PrerequisitesInput.limits":  says("the limits of a cluster", "クラスタの上限"),
	"PrerequisiteLimits.rtt_ms":  says("longest round trip in ms", "往復遅延の上限（ミリ秒）"),
	"PrerequisiteLimits.peers":   says("most peers", "ピア数の上限"),
	"PeersChangedInput.previous": says("the page before", "変更前のページ"),
	"PeersChangedInput.proposed": says("the page as saved now", "保存されたページ"),
	"PeersChangedInput.reset":    says("the factory reset that is armed", "予約中の工場出荷時リセット"),
	"reset_image":                says("whether the image for a reset is there", "リセット用イメージの有無", "present", "missing"),
	"armed":                      says("whether a reset is armed", "リセットが予約されているか"),
	"armed_from":                 says("the addresses that were cleared, in order", "消去されたアドレス（順序どおり）"),
	"IdentityInput.names":        says("the SANs, then the CN", "サブジェクト代替名、続いてコモンネーム"),
	"configured_address":         says("what this peer's list calls the other side", "このピアの一覧にある相手のアドレス"),
	"source_ip":                  says("IP address that it comes from", "送信元のIPアドレス"),

	"answer.id":            says("id of the catalogue, or of the script's own text", "カタログまたはスクリプト自身のテキストのID"),
	"answer.severity":      says("error blocks and alarms, warning alarms, info is shown", "errorは処理を止めてアラーム、warningはアラーム、infoは表示のみ"),
	"answer.peer":          says("address of the peer that it is about", "対象のピアのアドレス"),
	"answer.field":         says("configuration item that it is about", "対象の設定項目"),
	"answer.params":        says("values for the {names} in the text", "テキスト中の{名前}に入る値"),
	"answer.fix":           says("what would make it go away", "解消する方法"),
	"answer.set":           says("item to set", "設定する項目"),
	"answer.to":            says("the severity to give it, or whom to notify: the line Alarm Notification of the event log names them", "設定する重大度、または通知先。イベントログのAlarm Notificationの行に記録されます"),
	"answer.page":          says("page of the console", "コンソールのページ"),
	"answer.reset":         says("what happens to the factory reset", "工場出荷時リセットの扱い"),
	"answer.keep":          says("what the reset keeps, from the closed list", "リセットで保持するもの（決められた一覧から）"),
	"answer.banner":        says("id of the banner on every page", "全ページに表示するバナーのID"),
	"answer.blocked":       says("why the reset cannot be carried out now", "今すぐリセットできない理由"),
	"answer.action":        says("what to do", "動作"),
	"answer.name":          says("the certificate's name that proved it", "証明に使われた証明書の名前"),
	"answer.reason":        says("why, as a code of your own", "理由（独自のコード）"),
	"answer.code":          says("status code told to the caller", "相手に返すステータスコード"),
	"answer.detail":        says("more on the reason, for the history", "履歴に残す詳しい理由"),
	"answer.kbps":          says("bandwidth granted, kbit/s", "許可する帯域（kbit/s）"),
	"answer.targets":       says("where to search, in this order", "検索先（この順序）"),
	"answer.zone":          says("zone to search", "検索するゾーン"),
	"answer.alias":         says("alias to search there", "そこで検索するエイリアス"),
	"answer.continue":      says("whether the search goes on with the other candidates when these fail", "失敗したとき他の候補の検索を続けるか"),
	"answer.subzone":       says("subzone that the registration is put in", "登録を入れるサブゾーン"),
	"answer.ttl":           says("seconds that the registration lives, 60 to 86,400", "登録の有効期間（秒）。60〜86,400"),
	"answer.rings":         says("who rings, one group after the other", "呼び出すグループ（この順序）"),
	"answer.aliases":       says("devices that ring together", "同時に呼び出すデバイス"),
	"answer.seconds":       says("how long, in seconds", "時間（秒）"),
	"answer.calls":         says("calls that the cluster can carry", "クラスタが扱える通話数"),
	"answer.registrations": says("registrations that the cluster can carry", "クラスタが扱える登録数"),
	"answer.counted_peers": says("peers that add capacity", "容量に数えるピアの数"),
	"answer.act":           says("what to do with the alarm", "アラームの扱い"),
	"answer.for_s":         says("for how many seconds it is expected: listed, and calling nobody", "予期する期間（秒）。一覧には表示され、通知は行われません"),
	"answer.procedure":     says("what to suggest beside the remedy: a procedure such as restart or force_config_update, or words of your own", "対処方法に添える提案。restart、force_config_updateなどの操作、または任意の文言"),

	"alias":         says("the alias that is called, normalised", "呼び出されたエイリアス（正規化済み）"),
	"source":        says("who calls", "発信元"),
	"zone_type":     says("type of the zone", "ゾーンの種類"),
	"ip":            says("IP address", "IPアドレス"),
	"authenticated": says("whether the sender proved who it is", "送信者が認証されているか"),
	"protocol":      says("signalling protocol", "シグナリングプロトコル"),
	"hops":          says("hops that are left", "残りのホップ数"),
	"candidates":    says("targets that the search rules gave, in order", "検索ルールが示した転送先（順序どおり）"),
	"zone_state":    says("state of the zone", "ゾーンの状態"),
	"rule":          says("search rule that gave it", "それを示した検索ルール"),
	"priority":      says("priority of the rule; lower is earlier", "ルールの優先度。小さいほど先"),
	"stop":          says("whether the search stops here on a match", "一致したときここで検索を終えるか"),
	"bandwidth":     says("bandwidth asked for, kbit/s", "要求された帯域（kbit/s）"),

	"SourceRecord.alias":        says("alias of the caller, \"\" when it gives none", "発信者のエイリアス。示されないときは\"\""),
	"SourceRecord.zone":         says("zone or subzone that it comes from", "発信元のゾーンまたはサブゾーン"),
	"LicenceRecord.type":        says("kind of licence, \"\" when none is needed", "ライセンスの種類。不要なら\"\"", "", "room", "desktop"),
	"free":                      says("licences that are left", "残りのライセンス数"),
	"licence":                   says("the licence that it would take", "消費するライセンス"),
	"aliases":                   says("the aliases that would be registered", "登録されるエイリアス"),
	"subzone":                   says("subzone that the configuration gives it", "設定により割り当てられるサブゾーン"),
	"restriction":               says("the restriction policy in force", "有効な登録制限ポリシー", "none", "allow_list", "deny_list"),
	"listed":                    says("the list that names it; nil for none", "載っているリスト。なければnil", "allow", "deny"),
	"refresh":                   says("whether it refreshes a live registration", "有効な登録の更新か"),
	"elsewhere":                 says("address of the peer that holds the alias already; nil for none", "そのエイリアスをすでに持つピアのアドレス。なければnil"),
	"conflict":                  says("the H.323 alias conflict mode", "H.323エイリアスの競合モード", "reject", "overwrite"),
	"dialled":                   says("the alias as the caller gave it", "発信者が入力したままのエイリアス"),
	"RouteCandidate.alias":      says("alias to search for there", "そこで検索するエイリアス"),
	"RouteCandidate.zone_state": says("state of the zone", "ゾーンの状態", "active", "failed", "checking", "off"),
	"findme_id":                 says("the FindMe ID that is called", "呼び出されたFindMe ID"),
	"caller":                    says("who calls", "発信元"),
	"devices":                   says("devices of the FindMe ID", "FindMe IDのデバイス"),
	"local_time":                says("the time where its owner is", "所有者の現地時刻"),
	"ring_seconds":              says("configured ring time in seconds", "設定された呼び出し時間（秒）"),
	"FindMeDevice.alias":        says("alias of the device", "デバイスのエイリアス"),
	"FindMeDevice.role":         says("when it rings", "呼び出す条件", "primary", "busy", "noanswer"),
	"registered":                says("whether it is registered", "登録されているか"),
	"in_call":                   says("whether it is in a call", "通話中か"),
	"hour":                      says("0 to 23", "0〜23"),
	"minute":                    says("0 to 59", "0〜59"),
	"weekday":                   says("1 (Monday) to 7", "1（月曜日）〜7"),
	"pipe":                      says("name of the pipe", "パイプの名前"),
	"total":                     says("its limit, kbit/s; 0 for none", "合計の上限（kbit/s）。0は無制限"),
	"used":                      says("what calls hold of it, kbit/s", "通話が使用中の帯域（kbit/s）"),
	"per_call_max":              says("limit of one call, kbit/s; 0 for none", "1通話の上限（kbit/s）。0は無制限"),
	"closed":                    says("whether nothing may pass", "通過が禁止されているか"),
	"requested":                 says("what the call asks for, kbit/s; 0 when it names none", "通話が要求する帯域（kbit/s）。指定がなければ0"),
	"default":                   says("what counts when it names none, kbit/s", "指定がないときの帯域（kbit/s）"),
	"path":                      says("the limits on its path", "経路上の制限"),
	"downspeed_per_call":        says("whether a limit for each call may lower it", "通話ごとの上限によるダウンスピードを許すか"),
	"downspeed_total":           says("whether a total limit may lower it", "合計の上限によるダウンスピードを許すか"),
	"GateRequest.procedure":     says("what is done: rolling_restart, upgrade; or what an administrator asks for by itself: create_cluster, join_cluster, add_peer, remove_peer, change_primary, tls_mode, factory_reset, restart, import, force_config_update, restore, purge", "行われる操作。rolling_restart、upgrade、または管理者による個別の操作：create_cluster、join_cluster、add_peer、remove_peer、change_primary、tls_mode、factory_reset、restart、import、force_config_update、restore、purge"),
	"step":                      says("the step: save, admit, arm, restart, import, force, restore, purge, or one of a guided procedure", "ステップ：save、admit、arm、restart、import、force、restore、purge、または手順のステップ"),
	"peer":                      says("address of the peer that it is about", "対象のピアのアドレス"),
	"restarted":                 says("addresses of the peers that started after the last change", "最後の変更より後に起動したピアのアドレス"),
	"since_change_s":            says("seconds since the last change of the configuration, -1 when unknown", "最後の設定変更からの秒数。不明なら-1"),
	"since_restart_s":           says("seconds since the last restart of any peer, -1 when unknown", "いずれかのピアの最後の再起動からの秒数。不明なら-1"),
	"CapacityPeer.address":      says("its address", "アドレス"),
	"CapacityPeer.size":         says("its size", "規模", "small", "medium", "large", "appliance"),
	"CapacityPeer.reachable":    says("whether it answers", "応答しているか"),
	"calls_capacity":            says("calls that it can carry", "扱える通話数"),
	"registrations_capacity":    says("registrations that it can carry", "扱える登録数"),
	"licences":                  says("licences of the cluster by kind, those of a lost peer for 14 days; unlimited ones are not in it", "クラスタのライセンス数（種類別）。失われたピアの分は14日間含みます。無制限のものは含みません"),
	"CapacityRequest.peers":     says("the peers", "ピア"),
	"event":                     says("what happened to the alarm", "アラームに起きたこと", "raised", "lowered", "acknowledged"),
	"alarm":                     says("the alarm", "アラーム"),
	"AlarmRequest.procedure":    says("what was begun last on any peer, within ten minutes; nil for nothing", "いずれかのピアで10分以内に最後に開始された操作。なければnil"),
	"AlarmRecord.id":            says("its number", "番号"),
	"AlarmRecord.severity":      says("its severity", "重大度"),
	"AlarmRecord.peer":          says("address of the peer that raised it", "発生したピアのアドレス"),
	"AlarmRecord.params":        says("its parameters", "パラメータ"),
	"AlarmRecord.count":         says("how often it was raised", "発生した回数"),
	"AlarmRecord.first":         says("when it was raised first, unix seconds", "最初に発生した時刻（UNIX秒）"),
	"acknowledged":              says("whether a person has acknowledged it", "確認済みか"),
	"ProcedureRecord.kind":      says("its kind", "種類"),
	"ProcedureRecord.peers":     says("addresses of the peers that it touches", "対象のピアのアドレス"),
	"ProcedureRecord.started":   says("when it began, unix seconds", "開始時刻（UNIX秒）"),
}

// about is what a hook is for.
type about struct{ when, answers, failSafe engine.Text }

// abouts describe the hooks. Source: reference/policy-api.md section 6.
var abouts = map[string]about{
	"cluster.validate": {
		engine.Text{EN: "Before a clustering page is saved, and on every peer each 60 s.", JA: "クラスタリングページを保存する前と、すべてのピアで60秒ごと。"},
		engine.Text{EN: "Findings. An error refuses the save; an error or a warning raises its alarm.", JA: "検出事項。エラーは保存を拒否し、エラーと警告はアラームを発生させます。"},
		engine.Text{EN: "A save is refused with policy.failed; in the periodic run the alarms stay as they were.", JA: "保存はpolicy.failedで拒否されます。定期実行ではアラームはそのままです。"},
	},
	"peer.prerequisites": {
		engine.Text{EN: "Before a peer joins, and on every peer each 60 s.", JA: "ピアが参加する前と、すべてのピアで60秒ごと。"},
		engine.Text{EN: "Findings. An error refuses the join.", JA: "検出事項。エラーは参加を拒否します。"},
		engine.Text{EN: "The join is refused; peers that are in stay in.", JA: "参加は拒否されます。参加中のピアはそのままです。"},
	},
	"keys.compare": {
		engine.Text{EN: "When an option key changes, before a join, and each 60 s.", JA: "オプションキーの変更時、参加の前、60秒ごと。"},
		engine.Text{EN: "Findings. An error refuses the join.", JA: "検出事項。エラーは参加を拒否します。"},
		engine.Text{EN: "The join is refused; peers that are in stay in.", JA: "参加は拒否されます。参加中のピアはそのままです。"},
	},
	"peer.identity": {
		engine.Text{EN: "On each peer when a TLS session of the cluster is verified, after the chain was.", JA: "クラスタのTLSセッションを検証するとき（チェーンの検証後）、各ピアで。"},
		engine.Text{EN: "accept with the name that proved it, or reject with a reason; nil leaves it to the next script, and so does accept in a script of the site: the built-in has the last word.", JA: "証明した名前を添えたaccept、または理由を添えたreject。nilは次のスクリプトに任せます。サイトのスクリプトではacceptも同じで、最後は組み込みが判断します。"},
		engine.Text{EN: "Enforcing: reject. Permissive: accept with a warning.", JA: "強制：拒否。許可：警告付きで受け入れ。"},
	},
	"cluster.peers_changed": {
		engine.Text{EN: "On the peer where the peer list was saved.", JA: "ピアの一覧が保存されたピアで。"},
		engine.Text{EN: "What happens to the factory reset; nil leaves it to the next script. arm only answers a list that was cleared, disarm peers that are back, keep_armed what is armed.", JA: "工場出荷時リセットの扱い。nilは次のスクリプトに任せます。armは一覧が消去されたとき、disarmはピアが戻ったとき、keep_armedは予約済みのときにだけ回答できます。"},
		engine.Text{EN: "none: nothing is armed, and what is armed stays armed.", JA: "none：新たに予約されず、予約済みのものはそのままです。"},
	},
	"procedure.gate": {
		engine.Text{EN: "Before each step of a procedure, on the peer that runs it: a guided one, or what an administrator does to the cluster by itself.", JA: "手順の各ステップや、管理者がクラスタに対して行う個別の操作の前に、それを実行するピアで。"},
		engine.Text{EN: "accept, wait with seconds and a reason, or reject.", JA: "accept、秒数と理由を添えたwait、またはreject。"},
		engine.Text{EN: "Wait 60 s, then ask the operator: the same command again goes ahead.", JA: "60秒待ってから操作者に確認します。同じコマンドを再度実行すると続行します。"},
	},
	"capacity.limit": {
		engine.Text{EN: "On every peer, when members, whether they answer, their sizes, licences or the rules change.", JA: "メンバー、その応答の有無、サイズ、ライセンス、ルールのいずれかが変わったとき、すべてのピアで。"},
		engine.Text{EN: "What the cluster can carry.", JA: "クラスタが扱える量。"},
		engine.Text{EN: "The last computed value; without one, the capacity of one peer.", JA: "最後に計算した値。なければ1ピア分の容量。"},
	},
	"registration.admit": {
		engine.Text{EN: "On the peer that got a registration.", JA: "登録要求を受けたピアで。"},
		engine.Text{EN: "accept, with a subzone and a lifetime if you like, or reject with code and reason; nil leaves it to the next script.", JA: "accept（サブゾーンと有効期間を指定可）、またはコードと理由を添えたreject。nilは次のスクリプトに任せます。"},
		engine.Text{EN: "A refresh is accepted, a new registration is rejected (503, policy_unavailable).", JA: "更新は受け入れ、新しい登録は拒否（503、policy_unavailable）。"},
	},
	"call.admit": {
		engine.Text{EN: "Before a call is searched for.", JA: "通話の検索の前に。"},
		engine.Text{EN: "accept, or reject with code and reason; nil leaves it to the next script.", JA: "accept、またはコードと理由を添えたreject。nilは次のスクリプトに任せます。"},
		engine.Text{EN: "Reject (403, policy_unavailable); on_failure=skip is permitted.", JA: "拒否（403、policy_unavailable）。on_failure=skipを指定できます。"},
	},
	"search.transform": {
		engine.Text{EN: "Before the search, after the configured transforms; each script gets the alias that the one before left.", JA: "検索の前、設定済みトランスフォームの後に。各スクリプトは前のスクリプトが残したエイリアスを受け取ります。"},
		engine.Text{EN: "nil (unchanged), an alias, or reject.", JA: "nil（変更なし）、エイリアス、またはreject。"},
		engine.Text{EN: "The result of the configured transforms stands; on_failure=reject is permitted.", JA: "設定済みトランスフォームの結果を使います。on_failure=rejectを指定できます。"},
	},
	"search.route": {
		engine.Text{EN: "After the search rules gave their candidates.", JA: "検索ルールが候補を示した後に。"},
		engine.Text{EN: "nil (the candidates as they are), route with targets, reject, or skip.", JA: "nil（候補のまま）、転送先を添えたroute、reject、またはskip。"},
		engine.Text{EN: "The candidates as they are; on_failure=reject is permitted.", JA: "候補のまま。on_failure=rejectを指定できます。"},
	},
	"findme.resolve": {
		engine.Text{EN: "When a FindMe ID is called.", JA: "FindMe IDが呼び出されたとき。"},
		engine.Text{EN: "Who rings, group by group.", JA: "呼び出すグループ（順番に）。"},
		engine.Text{EN: "The primary devices ring together for the default time.", JA: "プライマリデバイスを既定の時間、同時に呼び出します。"},
	},
	"bandwidth.admit": {
		engine.Text{EN: "When a call asks for bandwidth.", JA: "通話が帯域を要求したとき。"},
		engine.Text{EN: "accept with kbps, or reject; never more than the path has left.", JA: "kbpsを添えたaccept、またはreject。経路の残りを超えることはありません。"},
		engine.Text{EN: "What fits on the path, downspeeded if permitted, else reject.", JA: "経路に収まる帯域（許可されていればダウンスピード）、収まらなければ拒否。"},
	},
	"alarm.react": {
		engine.Text{EN: "On the primary, when an alarm of any peer is raised, lowered or acknowledged, when the time is over until which it was expected, and when the rules change. A peer without the primary for 10 s asks about its own alarms.", JA: "プライマリで、いずれかのピアのアラームの発生、解除、確認時、予期する期間の終了時、およびルールの変更時に。プライマリと10秒以上通信できないピアは、自身のアラームについて判断します。"},
		engine.Text{EN: "A list of acts: notify, severity, expect, suggest.", JA: "動作の一覧：notify、severity、expect、suggest。"},
		engine.Text{EN: "Nothing; the alarm itself is untouched.", JA: "何もしません。アラーム自体は変わりません。"},
	},
}
