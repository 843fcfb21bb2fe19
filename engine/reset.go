package engine

// ResetText is the word for people of what a factory reset keeps, or of what
// stands in its way; a name that it does not know stands for itself.
//
// Source: reference 2.12.
func ResetText(name string) Text {
	if t, ok := resetTexts[name]; ok {
		return t
	}
	return Text{EN: name, JA: name}
}

var resetTexts = map[string]Text{
	"network.lan1.ip":        {EN: "the address of LAN1", JA: "LAN1のアドレス"},
	"accounts.admin":         {EN: "the account admin with its password", JA: "adminアカウントとパスワード"},
	"accounts.root":          {EN: "the account root with its password", JA: "rootアカウントとパスワード"},
	"ssh.host_keys":          {EN: "SSH host keys", JA: "SSHホストキー"},
	"option_keys":            {EN: "option keys", JA: "オプションキー"},
	"access.https":           {EN: "HTTPS access", JA: "HTTPSアクセス"},
	"access.ssh":             {EN: "SSH access", JA: "SSHアクセス"},
	"tls.server_certificate": {EN: "the server certificate", JA: "サーバ証明書"},
	"tls.private_key":        {EN: "its private key", JA: "秘密鍵"},
	"tls.trust_store":        {EN: "the trusted authorities", JA: "信頼済み認証局"},

	"no_reset_image": {
		EN: "the software image or its release key is missing; put both into the reset folder before restarting",
		JA: "ソフトウェアイメージまたはリリースキーがありません。再起動する前に、両方をリセット用フォルダに置いてください",
	},
}
