package engine

// ResetPlan is what a factory reset of this system would keep and lose, item by
// item: the one that is armed, or the one that was asked about. Nothing is
// changed by asking.
//
// Source: reference 2.12.
type ResetPlan struct {
	Armed    bool        `json:"armed"` // by an empty peer list: the next restart carries it out
	Keep     []string    `json:"keep"`  // names of the closed list
	Items    []ResetItem `json:"items"`
	Warnings []Text      `json:"warnings,omitempty"`
	Blocked  string      `json:"blocked,omitempty"` // why it cannot be carried out now: see ResetText
}

// ResetItem is one thing that a factory reset keeps or loses. Detail says how
// much of it is there, or what.
type ResetItem struct {
	Text   Text   `json:"text"`
	Kept   bool   `json:"kept"`
	Detail string `json:"detail,omitempty"`
}

// ResetAnswers are the answers to the questions of the command factory-reset.
// hexad has no FIPS140 configuration, so that its question decides nothing.
//
// Source: reference 2.12.
type ResetAnswers struct {
	OptionKeys, FIPS140, IP, SSHKeys, Certificates, Passwords, Logs bool
}

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
	"log_files":              {EN: "the event log", JA: "イベントログ"},

	"no_reset_image": {
		EN: "the software image or its release key is missing; put both into the reset folder before restarting",
		JA: "ソフトウェアイメージまたはリリースキーがありません。再起動する前に、両方をリセット用フォルダに置いてください",
	},
}

// PurgePlan says what removing this system's cluster database takes with it.
// Name is what has to be typed to have it done. Refused is why it cannot be
// done here, "" when it can.
//
// Source: reference 2.17.
type PurgePlan struct {
	Name    string `json:"name"` // system name
	Lost    []Text `json:"lost"`
	Aside   string `json:"aside"` // directory that it is moved to
	Refused string `json:"refused,omitempty"`
}
