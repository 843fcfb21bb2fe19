package alarm

import "hexad/engine"

// serviceEntries are the kinds of licences, security and call control: 30nnn,
// 40nnn, 45nnn.
//
// Source: reference 3.3, 4.3, 4.4.
var serviceEntries = []entry{
	{30012, engine.Warning,
		t("License usage of lost cluster peer", "失われたクラスタピアのライセンスの使用"),
		t("The licenses of {peers} remain in use within hours of being taken off, on {date}", "{peers} のライセンスは {date} に数時間以内で除外されるまで使用されます"), lostRemedy},
	{30013, engine.Warning,
		t("License usage of lost cluster peers", "失われた複数のクラスタピアのライセンスの使用"),
		t("The licenses of several lost peers ({peers}) are taken off within hours, on {date}", "失われた複数のピア({peers})のライセンスは {date} に数時間以内で除外されます"), lostRemedy},
	{30014, engine.Warning,
		t("License usage of lost cluster peer", "失われたクラスタピアのライセンスの使用"),
		t("The licenses of {peers} are taken off the pool on {date}", "{peers} のライセンスは {date} にプールから除外されます"), lostRemedy},
	{30015, engine.Warning,
		t("License usage of lost cluster peers", "失われた複数のクラスタピアのライセンスの使用"),
		t("The licenses of several lost peers ({peers}) are taken off the pool on {date}", "失われた複数のピア({peers})のライセンスは {date} にプールから除外されます"), lostRemedy},
	{30016, engine.Warning,
		t("Licenses of lost cluster peer have been taken off the license pool", "失われたクラスタピアのライセンスがプールから除外されました"),
		t("{peers} has been lost for too long; its licenses no longer count", "{peers} が失われてから期限が過ぎたため、そのライセンスは数えられません"), lostRemedy},
	{30017, engine.Warning,
		t("Licenses of lost cluster peers have been taken off the license pool", "失われた複数のクラスタピアのライセンスがプールから除外されました"),
		t("Several peers ({peers}) have been lost for too long; their licenses no longer count", "複数のピア({peers})が失われてから期限が過ぎたため、それらのライセンスは数えられません"), lostRemedy},
	{30019, engine.Warning,
		t("License limit reached", "ライセンスの上限に達しました"),
		t("The cluster has no license left for another call", "クラスタには次のコールに使えるライセンスがありません"),
		t("Install more licenses, or wait until calls end.", "ライセンスを追加するか、コールが終わるのを待ってください。")},
	{30022, engine.Warning,
		t("Capacity limit reached", "物理的な上限に達しました"),
		t("This peer carries as many calls as its size allows", "このピアはサイズで許可された数のコールを処理しています"),
		t("Spread calls over the peers, or add a peer.", "コールをピア間に分散するか、ピアを追加してください。")},
	restart(30025, "An option key or the type of the system", "オプションキーまたはシステムの種類"),
	{30027, engine.Warning,
		t("Capacity limit reached", "物理的な上限に達しました"),
		t("One or more peers hold as many registrations as their size allows: {peers}", "1 つ以上のピアの登録数がサイズの上限に達しました: {peers}"),
		t("Spread the registrations evenly over the peers.", "登録をピア間に均等に分散してください。")},

	{40046, engine.Warning,
		t("FIPS140-2 compliance restriction", "FIPS140-2 準拠の制限"),
		t("A clustered system is not FIPS140-2 compliant", "クラスタ化されたシステムは FIPS140-2 に準拠しません"),
		t("Run compliant systems outside of a cluster.", "準拠が必要なシステムはクラスタの外で運用してください。")},
	{40049, engine.Notice,
		t("Cluster TLS permissive", "クラスタ TLS が許容モードです"),
		t("The TLS verification mode of the cluster lets invalid certificates through", "クラスタの TLS 検証モードは無効な証明書を許容します"),
		t("When every peer shows a valid certificate, set the TLS verification mode to Enforce.",
			"すべてのピアの証明書が有効と表示されたら、TLS 検証モードを [Enforce] に設定してください。")},
	{40052, engine.Warning,
		t("Certificate error", "証明書エラー"),
		t("The server certificate has no common name", "サーバ証明書に共通名がありません"),
		t("Upload a certificate with a common name.", "共通名を持つ証明書をアップロードしてください。")},
	{40055, engine.Warning,
		t("Failed to update key file", "キーファイルの更新に失敗しました"),
		t("The system key file is in an inconsistent state: {detail}", "システムキーファイルの状態に矛盾があります: {detail}"),
		t("Alone: run xCommand ForceSystemKeyUpdate here. In a cluster: run it on a peer that does not show this alarm.",
			"単独のシステムではここで xCommand ForceSystemKeyUpdate を実行してください。クラスタでは、このアラームが出ていないピアで実行します。")},
	{40068, engine.Critical,
		t("Server certificate validity", "サーバ証明書の有効期間"),
		t("The server certificate has expired or expires today", "サーバ証明書の有効期限が切れているか、本日切れます"),
		t("Upload a new server certificate.", "新しいサーバ証明書をアップロードしてください。")},
	{40069, engine.Alert,
		t("Server certificate validity", "サーバ証明書の有効期間"),
		t("The server certificate expires in {days} days", "サーバ証明書の有効期限まであと {days} 日です"),
		t("Upload a new server certificate before it expires.", "期限が切れる前に新しいサーバ証明書をアップロードしてください。")},

	{45001, engine.Warning,
		t("Failed to load Call Policy file", "コールポリシーの読み込みに失敗しました"),
		t("The call policy could not be loaded", "コールポリシーを読み込めませんでした"),
		t("Check the policy page.", "ポリシーのページを確認してください。")},
	link(45002, "Default Subzone", "Default Zone"),
	{45003, engine.Warning,
		t("Configuration warning", "設定の警告"),
		t("H.323 and SIP are both off: no call can be made", "H.323 と SIP がどちらもオフのため、コールができません"),
		t("Switch on at least one of them.", "少なくともどちらか一方をオンにしてください。")},
	link(45006, "Default Subzone", "Cluster Subzone"),
	link(45007, "Default Subzone", "Traversal Subzone"),
	link(45008, "Traversal Subzone", "Default Zone"),
	{45010, engine.Warning,
		t("Configuration warning", "設定の警告"),
		t("A peer address of zone {zone} is down: {address}", "ゾーン {zone} のピアアドレスが停止しています: {address}"),
		t("Check the zone's peer addresses and the systems there.", "ゾーンのピアアドレスと接続先のシステムを確認してください。")},
}

var lostRemedy = t(
	"Bring the lost peer back, or remove it and install its licenses elsewhere.",
	"失われたピアを復旧するか、削除してライセンスを別のピアにインストールしてください。")

// link is a kind that says that a link that every system starts with is missing.
func link(id int, from, to string) entry {
	return entry{id, engine.Warning,
		t("Configuration warning", "設定の警告"),
		t("The default link between the "+from+" and the "+to+" is missing", from+" と "+to+" の間の既定のリンクがありません"),
		t("Create the link again; until then calls between them fail.", "リンクを作り直してください。それまで両者の間のコールは失敗します。")}
}
