package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hexad/engine/policy"
	"hexad/ui/shell"
)

const policyHelp = `hexad policy [--data-dir DIR] [--json] COMMAND [ARGUMENT…]

Rules in Lua: written, tested, tried, brought to all peers, watched, taken back.

  new HOOK NAME                          write NAME.lua and NAME_test.lua to begin with
  put FILE…                              store as drafts (NAME_test.lua beside NAME.lua goes along)
  check [FILE…]                          lint, compile, fixtures, tests; files need no running hexad
  test [--run RE] [--cover] [FILE…]      run tests; without files the built-in and the site's
  dry-run [--since 24h] [--hook H] [--revision N] [--config FILE] [--expect none]
  stage [--comment TEXT] [--script NAME --mode MODE …]
  activate [N] [--mode shadow|warn|enforce] [--four-eyes]
  status, list, history, waivers, hooks
  show NAME [--version V] [--tests]      diff NAME [--from V] [--to V]
  rollback [N] [--comment TEXT]          remove NAME [--cancel]
  pin NAME --reason TEXT                 unpin NAME
  waive FINDING --for 24h --reason TEXT [--peer ADDRESS]        unwaive ID
  eval [FILE] INPUT.json [--hook H] [--revision N] [--lines]
  decisions [--since 1h] [--hook H]      explain ID [--lines] [--with N]
  data [TABLE]                           data-set TABLE KEY VALUE, data-delete TABLE KEY
  export FILE [--revision N]             import FILE [--trust FINGERPRINT]
  schema HOOK

Exit status: 0 done, 1 refused (a check or test that fails, too), 2 usage,
3 hexad does not answer, 4 something differs (diff, explain, dry-run --expect none).
`

// policyVerb says which command a word of "hexad policy" is, what its plain
// arguments are called, and whether it takes files.
type policyVerb struct {
	command string
	plain   []string
	files   bool
}

var policyVerbs = map[string]policyVerb{
	"put": {"PolicyPut", nil, true}, "check": {"PolicyCheck", nil, true}, "test": {"PolicyTest", nil, true},
	"dry-run": {"PolicyDryRun", nil, false}, "stage": {"PolicyStage", nil, false}, "activate": {"PolicyActivate", []string{"Revision"}, false},
	"status": {"PolicyStatus", nil, false}, "list": {"PolicyList", nil, false}, "history": {"PolicyHistory", nil, false},
	"waivers": {"PolicyWaivers", nil, false}, "hooks": {"PolicyHooks", nil, false}, "show": {"PolicyShow", []string{"Script"}, false},
	"diff": {"PolicyDiff", []string{"Script"}, false}, "rollback": {"PolicyRollback", []string{"Revision"}, false},
	"remove": {"PolicyRemove", []string{"Script"}, false}, "pin": {"PolicyPin", []string{"Script"}, false},
	"unpin": {"PolicyUnpin", []string{"Script"}, false}, "waive": {"PolicyWaive", []string{"Finding"}, false},
	"unwaive": {"PolicyUnwaive", []string{"Id"}, false}, "decisions": {"PolicyDecisions", nil, false},
	"explain": {"PolicyExplain", []string{"Id"}, false}, "data": {"PolicyData", []string{"Table"}, false},
	"data-set": {"PolicyDataSet", []string{"Table", "Key", "Value"}, false}, "data-delete": {"PolicyDataDelete", []string{"Table", "Key"}, false},
	"schema": {"PolicySchema", []string{"Hook"}, false}, "eval": {"PolicyEval", nil, false}, "new": {"PolicyNew", []string{"Hook", "Script"}, false},
	"export": {"PolicyExport", nil, false}, "import": {"PolicyImport", nil, false},
}

// policyFlags are the flags that become arguments, and those that say a fact.
var (
	policyFlags = map[string]string{
		"since": "Since", "hook": "Hook", "revision": "Revision", "expect": "Expect", "comment": "Comment", "script": "Script", "mode": "Mode",
		"on-failure": "OnFailure", "order": "Order", "version": "Version", "from": "From", "to": "To", "reason": "Reason", "for": "For",
		"peer": "Peer", "with": "With", "trust": "Trust", "run": "Run", "limit": "Limit",
	}
	policyFacts = map[string]string{
		"four-eyes": "FourEyes", "tests": "Tests", "cancel": "Cancel", "lines": "Lines", "cover": "Cover", "all": "All",
	}
)

// Policy is "hexad policy": the lifecycle of rules. Builtin are the scripts that
// hexad comes with, for tests without a running hexad.
func Policy(ctx context.Context, builtin []policy.Script, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("policy", policyHelp, stdin, stdout, stderr)
	t.flags.SetInterspersed(true)
	t.flags.BoolVar(&t.asJSON, "json", false, "print the answer as JSON")
	texts, facts := map[string]*string{}, map[string]*bool{}
	for name := range policyFlags {
		texts[name] = t.flags.String(name, "", "")
	}
	for name := range policyFacts {
		facts[name] = t.flags.Bool(name, false, "")
	}
	questions := t.flags.String("config", "", "")
	t.flags.Usage = func() { fmt.Fprint(stdout, policyHelp) }
	if status, ok := t.parse(args); !ok {
		return status
	}
	words := t.flags.Args()
	if len(words) == 0 {
		return t.usage("there is no command; for example: hexad policy status")
	}
	verb, ok := policyVerbs[words[0]]
	if !ok {
		return t.usage("there is no command %q", words[0])
	}
	p := &policyRun{tool: t, ctx: ctx, builtin: builtin, verb: words[0], entry: verb, words: words[1:], args: map[string]string{}, questions: *questions}
	for name, value := range texts {
		if t.flags.Changed(name) {
			p.args[policyFlags[name]] = *value
		}
	}
	for name, value := range facts {
		if *value {
			p.args[policyFacts[name]] = "True"
		}
	}
	return p.run()
}

// policyRun is one run of "hexad policy".
type policyRun struct {
	*tool
	ctx       context.Context
	builtin   []policy.Script
	verb      string
	entry     policyVerb
	words     []string
	args      map[string]string
	questions string
}

func (p *policyRun) run() int {
	switch p.verb {
	case "check", "test":
		return p.tried()
	case "put":
		return p.put()
	case "eval":
		return p.eval()
	case "new":
		return p.scaffold()
	case "export":
		return p.export()
	case "import":
		return p.bring()
	}
	for i, word := range p.words {
		if i >= len(p.entry.plain) {
			return p.usage("%q is no argument of %s", word, p.verb)
		}
		p.args[p.entry.plain[i]] = word
	}
	body := ""
	if p.questions != "" {
		var err error
		if body, err = p.read(p.questions); err != nil {
			return p.usage("%v", err)
		}
	}
	return p.command(body)
}

// command runs the verb's command over the administrator's socket.
func (p *policyRun) command(body string) int {
	reply, err := p.ask(p.ctx, shell.Request{Call: &shell.Call{Name: p.entry.command, Args: p.args, Body: body}})
	if err != nil {
		return p.fail(err)
	}
	if !p.asJSON && reply.Error == nil {
		reply.Lines = slices.DeleteFunc(reply.Lines, func(line string) bool { return line == "OK" })
	}
	status := p.print(reply)
	if status == ExitDiffers && (p.verb == "check" || p.verb == "test") {
		return ExitRefused
	}
	return status
}

// sources reads scripts with the tests beside them.
func sources(names []string) ([]policy.SourceFile, error) {
	var out []policy.SourceFile
	for _, name := range names {
		stem, isLua := strings.CutSuffix(filepath.Base(name), ".lua")
		if !isLua {
			return nil, fmt.Errorf("%s is no .lua file", name)
		}
		if strings.HasSuffix(stem, "_test") && slices.Contains(names, filepath.Join(filepath.Dir(name), strings.TrimSuffix(stem, "_test")+".lua")) {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f := policy.SourceFile{Name: stem, Source: string(source)}
		tests, err := os.ReadFile(filepath.Join(filepath.Dir(name), stem+"_test.lua"))
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		f.Tests = string(tests)
		out = append(out, f)
	}
	return out, nil
}

// tried checks and tests: files here, and without files the scripts of the
// running hexad, or the built-in ones when none runs.
func (p *policyRun) tried() int {
	if p.verb == "check" && p.args["Run"]+p.args["Cover"] != "" {
		return p.usage("--run and --cover belong to test")
	}
	if len(p.words) == 0 {
		if _, err := os.Stat(filepath.Join(p.dataDir, shell.SocketName)); err == nil {
			if p.verb == "test" {
				p.args["All"] = "True"
			}
			return p.command("")
		}
	}
	files, err := sources(p.words)
	if err != nil {
		return p.usage("%v", err)
	}
	scripts := p.builtin
	if len(files) > 0 {
		scripts = nil
		for _, f := range files {
			scripts = append(scripts, policy.Script{Name: f.Name, Source: f.Source, Tests: f.Tests})
		}
	}
	o := policy.TestOptions{Cover: p.args["Cover"] == "True"}
	if text := p.args["Run"]; text != "" {
		if o.Run, err = regexp.Compile(text); err != nil {
			return p.usage("--run: %v", err)
		}
	}
	report := policy.CheckAll(scripts, declaredTables(scripts), o)
	if p.asJSON {
		p.encode(report)
	} else if err := report.Write(p.out); err != nil {
		fmt.Fprintln(p.err, "ERROR: the report cannot be written:", err)
		return ExitRefused
	}
	if report.Refused {
		return ExitRefused
	}
	return ExitOK
}

// declaredTables gives scripts that are tried without a cluster the tables that
// they declare, empty.
func declaredTables(scripts []policy.Script) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, s := range scripts {
		d, err := policy.Declares(s)
		if err != nil {
			continue
		}
		for _, table := range d.Data {
			out[table] = map[string]string{}
		}
	}
	return out
}

func (p *policyRun) put() int {
	files, err := sources(p.words)
	if err != nil || len(files) == 0 {
		return p.usage("name the files to store: %v", err)
	}
	return p.command(encoded(files))
}

func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

func (p *policyRun) eval() int {
	if len(p.words) == 0 || len(p.words) > 2 {
		return p.usage("eval takes the file of an input, and before it that of a script if only that is to answer")
	}
	input, err := p.read(p.words[len(p.words)-1])
	if err != nil {
		return p.usage("%v", err)
	}
	if !json.Valid([]byte(input)) {
		return p.usage("%s is not JSON", p.words[len(p.words)-1])
	}
	body := map[string]any{"input": json.RawMessage(input)}
	if len(p.words) == 2 {
		files, err := sources(p.words[:1])
		if err != nil {
			return p.usage("%v", err)
		}
		body["script"] = files[0]
	}
	return p.command(encoded(body))
}

// scaffold writes a script and its tests; files that are there stay.
func (p *policyRun) scaffold() int {
	if len(p.words) != 2 {
		return p.usage("name a hook and the script; hexad policy hooks lists the hooks")
	}
	s, err := policy.Scaffold(p.words[0], p.words[1])
	if err != nil {
		return p.fail(err)
	}
	for name, text := range map[string]string{s.Name + ".lua": s.Source, s.Name + "_test.lua": s.Tests} {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			fmt.Fprintln(p.err, "ERROR:", err)
			return ExitRefused
		}
		_, err = io.WriteString(f, text)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			fmt.Fprintln(p.err, "ERROR:", err)
			return ExitRefused
		}
	}
	fmt.Fprintf(p.out, "%s.lua and %s_test.lua are written; try: hexad policy check %s.lua\n", s.Name, s.Name, s.Name)
	return ExitOK
}

func (p *policyRun) export() int {
	if len(p.words) != 1 {
		return p.usage("name the file to write")
	}
	reply, err := p.ask(p.ctx, shell.Request{Call: &shell.Call{Name: p.entry.command, Args: p.args}})
	if err != nil {
		return p.fail(err)
	}
	if reply.Error != nil {
		return p.print(reply)
	}
	var answer struct {
		Data struct {
			Archive []byte `json:"archive"`
		} `json:"data"`
	}
	err = json.Unmarshal(reply.Result, &answer)
	if err == nil {
		err = os.WriteFile(p.words[0], answer.Data.Archive, 0o600)
	}
	if err != nil {
		fmt.Fprintln(p.err, "ERROR: the archive cannot be written:", err)
		return ExitRefused
	}
	fmt.Fprintf(p.out, "%s: %d bytes\n", p.words[0], len(answer.Data.Archive))
	return ExitOK
}

func (p *policyRun) bring() int {
	if len(p.words) != 1 {
		return p.usage("name the archive that hexad policy export wrote")
	}
	archive, err := os.ReadFile(p.words[0])
	if err != nil {
		return p.usage("%v", err)
	}
	return p.command(base64.StdEncoding.EncodeToString(archive))
}
