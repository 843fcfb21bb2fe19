package policy

import (
	"maps"

	"hexad/engine"
)

// hexad's own alarms that policies raise.
const (
	AlarmPolicyFailed  = 70001 // a script failed and its fail-safe answer stands
	AlarmPolicyPinned  = 70002
	AlarmOverrideOld   = 70003
	AlarmRevisionBad   = 70004
	AlarmSiteFinding   = 70005 // a site script's own finding
	AlarmOptionKeys    = 70011 // option keys differ
	AlarmMixedRoles    = 70012 // core and edge in one cluster
	AlarmRoundTrip     = 70013 // round trip over the limit
	AlarmHardware      = 70014 // hardware classes or sizes differ
	AlarmPeerNAT       = 70015 // an address translation stands between peers
	AlarmPeerNames     = 70016 // names or addresses are not unique, or domains differ
	AlarmBaseServices  = 70017 // DNS or NTP of a peer does not work
	AlarmPeerNeighbour = 70018 // a peer is also a neighbour
	AlarmPeerMapping   = 70019 // the cluster address mapping is not complete
	AlarmPeerTLS       = 70020 // a certificate does not pass under Enforce
)

// Entry is one finding that scripts may make: the alarm that it raises (0 for
// none), whether an administrator may waive it, and its text with {parameters}.
type Entry struct {
	Alarm    int
	Waivable bool
	Text     engine.Text
}

// Catalogue lists every finding that built-in scripts make, by id.
func Catalogue() map[string]Entry { return maps.Clone(catalogue) }

// catalogue. Alarm numbers of the 20000s are those of reference 4.2 with its
// evaluation rules.
var catalogue = map[string]Entry{
	"policy.failed": {AlarmPolicyFailed, false, engine.Text{
		EN: "Rule {script} could not be evaluated ({class}, line {line}), so this cannot be checked.",
		JA: "ルール{script}を評価できないため（{class}、{line}行目）、確認できません。",
	}},

	"procedure.refused": {0, true, engine.Text{
		EN: "Rule {script} does not permit this step now ({procedure}, {step}): {reason}.",
		JA: "ルール{script}により、この操作（{procedure}、{step}）は現在許可されていません：{reason}。",
	}},
	"procedure.later": {0, true, engine.Text{
		EN: "Rule {script} asks to wait {seconds} s before this step ({procedure}, {step}): {reason}.",
		JA: "ルール{script}により、この操作（{procedure}、{step}）の前に{seconds}秒待つ必要があります：{reason}。",
	}},
	"procedure.undecided": {0, true, engine.Text{
		EN: "No rule could say whether this step ({procedure}, {step}) may begin. Wait {seconds} s; the same command then goes ahead.",
		JA: "この操作（{procedure}、{step}）を開始できるかどうかを判断できるルールがありません。{seconds}秒後に同じコマンドを実行すると続行します。",
	}},

	"cluster.config.h323_mode_off": {20018, true, engine.Text{
		EN: "H.323 mode is off on {peer}. Peers talk H.323 to each other, so it must be on, even if all endpoints use SIP.",
		JA: "{peer}のH.323モードがオフです。ピア間の通信にH.323を使うため、エンドポイントがすべてSIPの場合でもオンにする必要があります。",
	}},

	"cluster.peers.own_missing": {20003, false, engine.Text{
		EN: "The address of this system ({address}) is not among the peer addresses.",
		JA: "このシステムのアドレス（{address}）がピアのアドレスに含まれていません。",
	}},
	"cluster.peers.own_unlisted": {20015, false, engine.Text{
		EN: "Configuration cannot be replicated: the address of this system ({address}) is not in the peer list.",
		JA: "設定を複製できません。このシステムのアドレス（{address}）がピアの一覧にありません。",
	}},
	"cluster.peers.duplicate": {20003, false, engine.Text{
		EN: "Peer {first} and peer {second} are the same system ({address}).",
		JA: "ピア{first}とピア{second}は同じシステム（{address}）です。",
	}},
	"cluster.peers.gap": {20003, false, engine.Text{
		EN: "Peer {empty} is empty but peer {filled} is not. Leave no gap between peer addresses.",
		JA: "ピア{empty}が空ですが、ピア{filled}には値があります。ピアのアドレスの間を空けないでください。",
	}},
	"cluster.peers.address_invalid": {20005, false, engine.Text{
		EN: "Peer {index}: {address} is neither an IP address nor a fully qualified domain name.",
		JA: "ピア{index}：{address}はIPアドレスでも完全修飾ドメイン名（FQDN）でもありません。",
	}},
	"cluster.peers.address_unresolved": {20005, true, engine.Text{
		EN: "Peer {index}: {address} does not resolve ({failure}).",
		JA: "ピア{index}：{address}を名前解決できません（{failure}）。",
	}},
	"cluster.peers.address_family": {20005, false, engine.Text{
		EN: "Peer {index}: {address} is not an {ip_version} address, which the cluster IP version asks for.",
		JA: "ピア{index}：{address}は、クラスタのIPバージョンで指定された{ip_version}のアドレスではありません。",
	}},
	"cluster.peers.one_first": {0, false, engine.Text{
		EN: "Create the cluster with this system alone first (Peer 1), restart, then add the other peers one at a time.",
		JA: "まずこのシステムだけ（ピア1）でクラスタを作成して再起動し、そのあとで他のピアを1台ずつ追加してください。",
	}},
	"cluster.primary.outside": {20003, false, engine.Text{
		EN: "Configuration primary is {index}, but there is no peer {index}.",
		JA: "設定プライマリは{index}ですが、ピア{index}がありません。",
	}},
	"cluster.name.missing": {20019, false, engine.Text{
		EN: "The cluster has no name. Clustering needs one: the FQDN that the cluster's SRV records use.",
		JA: "クラスタ名が設定されていません。クラスタのSRVレコードで使うFQDNを設定してください。",
	}},
	"cluster.name.invalid": {20003, false, engine.Text{
		EN: "Cluster name {name} is not valid: letters, digits and hyphens between dots, no hyphen at either end, and the last part begins with a letter.",
		JA: "クラスタ名{name}が正しくありません。ドットで区切った英数字とハイフンで指定し、各部分の先頭と末尾にハイフンを使わず、最後の部分は英字で始めてください。",
	}},
	"cluster.name.bare": {0, true, engine.Text{
		EN: "Cluster name {name} has no domain. A certificate signing request that uses the cluster name will fail.",
		JA: "クラスタ名{name}にドメインがありません。クラスタ名を使う証明書署名要求（CSR）は失敗します。",
	}},

	"cluster.primary.differs": {20017, true, engine.Text{
		EN: "Configuration primary is {ours} here and {theirs} on {peer}.",
		JA: "設定プライマリがこのシステムでは{ours}、{peer}では{theirs}です。",
	}},
	"cluster.settings.peers_differ": {20012, true, engine.Text{
		EN: "The peer list differs from that of {peer}: here {ours}, there {theirs}.",
		JA: "ピアの一覧が{peer}と異なります。このシステム：{ours}、{peer}：{theirs}",
	}},
	"cluster.settings.name_differs": {20012, true, engine.Text{
		EN: "The cluster name differs from that of {peer}: here {ours}, there {theirs}.",
		JA: "クラスタ名が{peer}と異なります。このシステム：{ours}、{peer}：{theirs}",
	}},
	"cluster.settings.ip_version_differs": {20012, true, engine.Text{
		EN: "The cluster IP version differs from that of {peer}: here {ours}, there {theirs}.",
		JA: "クラスタのIPバージョンが{peer}と異なります。このシステム：{ours}、{peer}：{theirs}",
	}},
	"cluster.settings.tls_mode_differs": {20012, true, engine.Text{
		EN: "The TLS verification mode differs from that of {peer}: here {ours}, there {theirs}.",
		JA: "TLS検証モードが{peer}と異なります。このシステム：{ours}、{peer}：{theirs}",
	}},
	"cluster.settings.primary_contested": {20012, true, engine.Text{
		EN: "This system and {peer} both believe that they are the configuration primary.",
		JA: "このシステムと{peer}の両方が、自身を設定プライマリだと見なしています。",
	}},

	"cluster.release.differs": {20008, false, engine.Text{
		EN: "{peer} runs {theirs}, {other} runs {ours}. All peers of a cluster run the same software version.",
		JA: "{peer}のバージョンは{theirs}、{other}のバージョンは{ours}です。クラスタのすべてのピアを同じソフトウェアバージョンにしてください。",
	}},
	"cluster.role.mixed": {AlarmMixedRoles, false, engine.Text{
		EN: "{peer} is an {theirs} system and {other} an {ours} system. A cluster holds one kind only.",
		JA: "{peer}は{theirs}、{other}は{ours}です。1つのクラスタには同じ種類のシステムだけを含めてください。",
	}},
	"cluster.rtt.over_limit": {AlarmRoundTrip, true, engine.Text{
		EN: "The round trip between {peer} and {other} takes {rtt_ms} ms; at most {limit_ms} ms are supported.",
		JA: "{peer}と{other}の往復遅延は{rtt_ms} msです。サポートされる上限は{limit_ms} msです。",
	}},
	"cluster.rtt.near_limit": {0, true, engine.Text{
		EN: "The round trip between {peer} and {other} takes {rtt_ms} ms, near the limit of {limit_ms} ms.",
		JA: "{peer}と{other}の往復遅延は{rtt_ms} msで、上限の{limit_ms} msに近づいています。",
	}},
	"cluster.keys.mismatch": {AlarmOptionKeys, true, engine.Text{
		EN: "Option key {key} is missing on {missing_on}. All peers need the same option keys.",
		JA: "オプションキー{key}が{missing_on}にありません。すべてのピアに同じオプションキーが必要です。",
	}},

	"cluster.tls.address_not_fqdn": {AlarmPeerTLS, false, engine.Text{
		EN: "Peer {index} ({address}) is not a name. Enforce needs FQDNs that the certificates contain.",
		JA: "ピア{index}（{address}）は名前ではありません。「強制」には、証明書に含まれるFQDNが必要です。",
	}},
	"cluster.tls.certificate_invalid": {AlarmPeerTLS, false, engine.Text{
		EN: "The certificate of {peer} is not valid ({reason}). A peer with an invalid certificate cannot take part under Enforce.",
		JA: "{peer}の証明書が無効です（{reason}）。「強制」では、無効な証明書を持つピアはクラスタに参加できません。",
	}},
	"cluster.tls.chain_not_trusted": {AlarmPeerTLS, false, engine.Text{
		EN: "The certificate of {peer} was issued by an authority that is not trusted here.",
		JA: "{peer}の証明書は、このシステムが信頼していない認証局から発行されています。",
	}},
	"cluster.tls.name_missing": {AlarmPeerTLS, false, engine.Text{
		EN: "The certificate of {peer} does not contain its peer address {address} (it has {sans}).",
		JA: "{peer}の証明書にピアのアドレス{address}が含まれていません（証明書の名前：{sans}）。",
	}},
	"cluster.tls.unverified": {AlarmPeerTLS, true, engine.Text{
		EN: "{peer} does not answer, so its certificate cannot be checked. If it is not valid, the peer cannot take part under Enforce.",
		JA: "{peer}が応答しないため、証明書を確認できません。無効な場合、「強制」ではクラスタに参加できません。",
	}},

	"cluster.hardware.class_differs": {AlarmHardware, true, engine.Text{
		EN: "{peer} runs on {theirs}, {other} on {ours}. Peers need equivalent hardware.",
		JA: "{peer}は{theirs}、{other}は{ours}で動作しています。ピアには同等のハードウェアが必要です。",
	}},
	"cluster.hardware.size_differs": {AlarmHardware, true, engine.Text{
		EN: "{peer} is of size {theirs}, {other} of size {ours}. Peers need the same size.",
		JA: "{peer}のサイズは{theirs}、{other}のサイズは{ours}です。ピアのサイズを揃えてください。",
	}},
	"cluster.nat.translated": {AlarmPeerNAT, true, engine.Text{
		EN: "{peer} is seen as {seen}, an address that it does not have. There must be no address translation between peers.",
		JA: "{peer}の通信が、自身のアドレスではない{seen}から届いています。ピア間でアドレス変換を使わないでください。",
	}},
	"cluster.nat.static": {AlarmPeerNAT, true, engine.Text{
		EN: "{peer} has one network interface with static NAT ({nat}). Use a routable address without static NAT, or a second interface.",
		JA: "{peer}は1つのネットワークインターフェイスでスタティックNAT（{nat}）を使用しています。NATを使わないルーティング可能なアドレスか、2つ目のインターフェイスを使用してください。",
	}},
	"cluster.nat.external_interface": {AlarmPeerNAT, true, engine.Text{
		EN: "{peer} is clustered over its external interface. Use the internal one.",
		JA: "{peer}が外部インターフェイスでクラスタに接続しています。内部インターフェイスを使用してください。",
	}},
	"cluster.nat.public_address": {AlarmPeerNAT, false, engine.Text{
		EN: "Peer address {peer} is that system's static NAT address. Use the address of its interface.",
		JA: "ピアのアドレス{peer}は、そのシステムのスタティックNATアドレスです。インターフェイスのアドレスを使用してください。",
	}},
	"cluster.names.not_unique": {AlarmPeerNames, true, engine.Text{
		EN: "{peer} and {other} both have the {what} {value}. It must differ on every peer.",
		JA: "{peer}と{other}の{what}がどちらも{value}です。ピアごとに異なる値にしてください。",
	}},
	"cluster.names.domain_differs": {AlarmPeerNames, true, engine.Text{
		EN: "{peer} is in domain {theirs}, {other} in {ours}. All peers should be in one domain.",
		JA: "{peer}のドメインは{theirs}、{other}のドメインは{ours}です。すべてのピアを同じドメインにしてください。",
	}},
	"cluster.base.no_dns_server": {AlarmBaseServices, true, engine.Text{
		EN: "{peer} has no DNS server.",
		JA: "{peer}にDNSサーバが設定されていません。",
	}},
	"cluster.base.dns_failed": {AlarmBaseServices, true, engine.Text{
		EN: "{peer} cannot resolve every peer: {failures}.",
		JA: "{peer}で名前解決できないピアがあります：{failures}",
	}},
	"cluster.base.no_ntp_server": {AlarmBaseServices, true, engine.Text{
		EN: "{peer} has no NTP server.",
		JA: "{peer}にNTPサーバが設定されていません。",
	}},
	"cluster.base.ntp_not_synchronized": {AlarmBaseServices, true, engine.Text{
		EN: "The time of {peer} is not synchronized (NTP: {state}).",
		JA: "{peer}の時刻が同期されていません（NTP：{state}）。",
	}},
	"cluster.base.ip_version_differs": {AlarmBaseServices, false, engine.Text{
		EN: "The cluster IP version is {theirs} on {peer} and {ours} on {other}.",
		JA: "クラスタのIPバージョンが{peer}では{theirs}、{other}では{ours}です。",
	}},
	"cluster.neighbours.is_peer": {AlarmPeerNeighbour, true, engine.Text{
		EN: "{peer} is a peer of this cluster and also an address of zone {zone}. Peers must not be neighbors of each other.",
		JA: "{peer}はこのクラスタのピアですが、ゾーン{zone}のアドレスにもなっています。ピア同士を隣接システムにしないでください。",
	}},
	"cluster.mapping.missing": {AlarmPeerMapping, true, engine.Text{
		EN: "The cluster address mapping has no entry for {peer}. There must be one for every peer.",
		JA: "クラスタアドレスマッピングに{peer}の項目がありません。すべてのピアに項目が必要です。",
	}},
	"cluster.mapping.incomplete": {AlarmPeerMapping, false, engine.Text{
		EN: "Cluster address mapping {index} needs a fully qualified domain name and an IP address.",
		JA: "クラスタアドレスマッピング{index}には、完全修飾ドメイン名（FQDN）とIPアドレスの両方が必要です。",
	}},
	"cluster.mapping.duplicate": {AlarmPeerMapping, false, engine.Text{
		EN: "Cluster address mappings {first} and {second} both have {value}.",
		JA: "クラスタアドレスマッピング{first}と{second}の値{value}が重複しています。",
	}},
	"cluster.mapping.public_address": {AlarmPeerMapping, true, engine.Text{
		EN: "Cluster address mapping {index} leads to {address}, which is not a private address.",
		JA: "クラスタアドレスマッピング{index}の{address}はプライベートアドレスではありません。",
	}},
	"cluster.mapping.not_in_certificate": {AlarmPeerMapping, true, engine.Text{
		EN: "The certificate of {peer} does not contain its mapped name {name}.",
		JA: "{peer}の証明書に、マッピングされた名前{name}が含まれていません。",
	}},

	"cluster.reset.no_reset_image": {0, false, engine.Text{
		EN: "The software image for the factory reset is missing. Upload an image and a release key before restarting.",
		JA: "工場出荷時リセット用のソフトウェアイメージがありません。再起動する前に、イメージとリリースキーをアップロードしてください。",
	}},
}

// banners are the texts shown on every page while a reset is armed.
var banners = map[string]engine.Text{
	"factory_reset_on_restart": {
		EN: "All peer addresses were cleared: this system will be reset to factory settings at the next restart. To cancel, put the same addresses back in the same order and save.",
		JA: "ピアのアドレスがすべて削除されました。次の再起動で、このシステムは工場出荷時の設定にリセットされます。中止するには、同じアドレスを同じ順序で入力して保存してください。",
	},
	"factory_reset_order_differs": {
		EN: "The factory reset is still pending: the addresses are not the ones that were cleared, or not in the same order. Put them back in the original order and save to cancel it.",
		JA: "工場出荷時リセットは保留されたままです。入力されたアドレスまたはその順序が、削除前と異なります。中止するには、元の順序で入力して保存してください。",
	},
}
