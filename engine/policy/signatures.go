package policy

import "hexad/engine"

func sig(name, returns, en, ja string, params ...string) signature {
	return signature{name: name, params: params, returns: returns, note: engine.Text{EN: en, JA: ja}}
}

func testSig(name, returns, en, ja string, params ...string) signature {
	s := sig(name, returns, en, ja, params...)
	s.test = true
	return s
}

// signatures of what hexad adds to the language. The tests compare their names
// with the libraries.
var signatures = []signature{
	sig("policy", "hexad.policy", "Declares the policy; once in a file.", "ポリシーを宣言します（1ファイルに1回）。", "t hexad.policy"),
	sig("why", "", "Adds a line to the explanation of the decision; at most 64.", "判定の説明に1行加えます（最大64行）。", "code string", "params? table<string, string|number|boolean>"),
	sig("log", "", "Writes a line to the event log at level DEBUG; 10 a second for each script.", "イベントログにDEBUGレベルで1行書きます（スクリプトごとに毎秒10行）。", "text string"),
	sig("data", "table<string, string>", "A data table that policy{uses} declares, read-only.", "policy{uses}で宣言したデータテーブル（読み取り専用）。", "name string"),
	sig("accept", "table", "Answers accept.", "acceptを返します。", "t? table"),
	sig("reject", "table", "Answers reject.", "rejectを返します。", "t? table"),
	sig("route", "table", "Answers route.", "routeを返します。", "t? table"),
	sig("skip", "table", "Answers skip.", "skipを返します。", "t? table"),

	sig("re.match", "string? whole, string? ...", "Matches an RE2 pattern: the whole match, then its groups; nil without one.", "RE2パターンで照合します。一致全体、続いてグループ。なければnil。", "pattern string", "s string"),
	sig("re.replace", "string", "Replaces every match; by may name groups as $1 or ${1}.", "一致をすべて置き換えます。byでは$1や${1}でグループを使えます。", "pattern string", "s string", "by string"),
	sig("alias.user", "string", "What stands before the @, or all of it.", "@の前の部分（@がなければ全体）。", "a string"),
	sig("alias.domain", "string", "What stands after the @, \"\" without one.", "@の後の部分。なければ\"\"。", "a string"),
	sig("alias.e164", "string?", "The number that the alias is, without its +; nil when it is none.", "エイリアスが番号ならその番号（+なし）。番号でなければnil。", "a string"),
	sig("alias.is_uri", "boolean", "Whether it has the form user@domain.", "user@domainの形か。", "a string"),
	sig("alias.normalize", "string", "Lower case, without scheme and parameters.", "小文字にし、スキームとパラメータを除きます。", "a string"),
	sig("ip.in_cidr", "boolean", "Whether an address is in a prefix.", "アドレスがプレフィックスに含まれるか。", "address string", "prefix string"),
	sig("ip.is_private", "boolean", "Whether an address is private, loopback or link-local.", "プライベート、ループバック、リンクローカルのアドレスか。", "address string"),
	sig("ip.family", `"IPv4"|"IPv6"|nil`, "The address family; nil when it is no address.", "アドレスファミリ。アドレスでなければnil。", "address string"),
	sig("fqdn.match", "boolean", "Compares as certificates do: * for one whole left-most label.", "証明書と同じ規則で比べます（*は最も左のラベル1つ）。", "pattern string", "host string"),
	sig("fqdn.is_fqdn", "boolean", "Whether it is a name of two labels or more.", "2つ以上のラベルからなる名前か。", "s string"),
	sig("version.less", "boolean", "Compares software versions part by part.", "ソフトウェアバージョンを部分ごとに比べます。", "a string", "b string"),
	sig("version.equal", "boolean", "Whether two software versions are equal.", "2つのソフトウェアバージョンが等しいか。", "a string", "b string"),
	sig("version.major", "integer", "The first part of a software version.", "ソフトウェアバージョンの最初の部分。", "v string"),
	sig("list.contains", "boolean", "Whether a list contains a value.", "一覧に値が含まれるか。", "t any[]", "x any"),
	sig("list.index", "integer?", "Where a value stands in a list; nil when it does not.", "一覧での位置。なければnil。", "t any[]", "x any"),
	sig("list.same", "boolean", "Whether two lists are equal, in order.", "2つの一覧が順序も含めて等しいか。", "a any[]", "b any[]"),
	sig("list.same_set", "boolean", "Whether two lists hold the same values in any order.", "2つの一覧が順序を問わず同じ値を持つか。", "a any[]", "b any[]"),

	testSig("evaluate", "any", "The policy's evaluate, on a read-only copy of the input; its answer is checked as in service.", "ポリシーのevaluate。入力は読み取り専用の写しで、回答は運用時と同じく検査されます。", "c table"),
	testSig("fixture", "table", "A valid input of the hook, freshly built.", "フックの正しい入力を新しく作ります。", "name string"),
	testSig("with_data", "", "Fills a data table for the rest of the test.", "テストの残りの間、データテーブルを満たします。", "name string", "t table<string, string>"),
	testSig("expect.equal", "", "Deep comparison.", "深い比較。", "got any", "want any"),
	testSig("expect.truthy", "", "Neither nil nor false.", "nilでもfalseでもないこと。", "v any"),
	testSig("expect.falsy", "", "nil or false.", "nilまたはfalseであること。", "v any"),
	testSig("expect.has_finding", "", "A finding of that id, with those fields.", "そのIDの検出事項があり、項目が一致すること。", "list table", "id string", "fields? table"),
	testSig("expect.no_finding", "", "No finding of that id.", "そのIDの検出事項がないこと。", "list table", "id string"),
	testSig("expect.rejected", "", "A reject, for that reason.", "その理由のrejectであること。", "answer table", "reason? string"),
	testSig("expect.routed", "", "A route to those zones, in order.", "それらのゾーンへのroute（順序どおり）であること。", "answer table", "... string"),
	testSig("expect.traced", "", "The last evaluate called why with that code.", "直前のevaluateがそのコードでwhyを呼んだこと。", "code string"),
	testSig("expect.raises", "", "The function raises an error that matches the Lua pattern.", "関数がLuaパターンに一致するエラーを起こすこと。", "fn function", "pattern? string"),
	testSig("expect.under", "", "The last evaluate took fewer instructions.", "直前のevaluateの命令数がこれより少ないこと。", "instructions integer"),
}
