package ssh

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/shell"
)

// conversation is one channel: a prompt, the lines of a pipe, or one command.
type conversation struct {
	session *session
	channel ssh.Channel

	mu      sync.Mutex
	size    window // of the terminal
	hasTerm bool
	term    *terminal
	locale  map[string]string // what the client says of it, by variable
}

// locales are the variables that say which language a person reads, the one that
// counts most first. OpenSSH sends them as Debian sets it up. Source: POSIX.1-2024 8.2.
var locales = []string{"LC_ALL", "LC_MESSAGES", "LANG"}

// setLocale keeps one of them. What else a client says of its language is taken
// and not looked at; other variables are refused.
func (c *conversation) setLocale(payload []byte) bool {
	var in struct{ Name, Value string }
	if ssh.Unmarshal(payload, &in) != nil || in.Name != "LANG" && !strings.HasPrefix(in.Name, "LC_") {
		return false
	}
	if !slices.Contains(locales, in.Name) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locale == nil {
		c.locale = map[string]string{}
	}
	c.locale[in.Name] = in.Value[:min(len(in.Value), 64)]
	return true
}

// language is what the answers are written in.
func (c *conversation) language() engine.Language {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range locales {
		if v := c.locale[name]; v != "" {
			if v == "ja" || strings.HasPrefix(v, "ja_") || strings.HasPrefix(v, "ja.") {
				return engine.Japanese
			}
			return engine.English
		}
	}
	return engine.English
}

// serve waits for what the client wants and does that, once.
func (c *conversation) serve(ctx context.Context, requests <-chan *ssh.Request) {
	defer c.channel.Close()
	done := make(chan int, 1)
	started := false
	for {
		select {
		case r, ok := <-requests:
			if !ok {
				if started {
					<-done // what is being carried out is finished
				}
				return
			}
			run := c.request(ctx, r, started)
			if run != nil {
				started = true
				go func() { done <- run() }()
			}
		case status := <-done:
			// The client may be gone: then nobody misses the status.
			_, _ = c.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
			return
		case <-ctx.Done():
			if !started {
				return
			}
			ctx = context.WithoutCancel(ctx) // run has heard it and ends
		}
	}
}

// request answers one request of the client. It returns what to carry out when
// that is what was asked for. Source: RFC 4254 section 6.
func (c *conversation) request(ctx context.Context, r *ssh.Request, started bool) (run func() int) {
	ok := false
	switch r.Type {
	case "pty-req":
		var w window
		if w, ok = readTerminal(r.Payload); ok && !started {
			c.mu.Lock()
			c.size, c.hasTerm = w, true
			c.mu.Unlock()
		}
	case "window-change":
		var w window
		if w, ok = readWindow(r.Payload); ok {
			c.resize(w)
		}
	case "env":
		ok = !started && c.setLocale(r.Payload)
	case "shell":
		if ok = !started; ok {
			run = func() int { return c.converse(ctx) }
		}
	case "exec":
		var line string
		if line, ok = readText(r.Payload); ok && started {
			ok = false
		}
		if ok {
			run = func() int { return c.execute(ctx, line) }
		}
	}
	if !ok {
		c.session.inVain()
	}
	if r.WantReply {
		_ = r.Reply(ok, nil) // the client may be gone
	}
	return run
}

func (c *conversation) resize(w window) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size = w
	if c.term != nil {
		_ = c.term.SetSize(w.columns, w.rows) // the client may be gone
	}
}

// refused says why the session may not be used.
func (c *conversation) refused() bool {
	if c.session.refusal != "" {
		c.say(c.channel.Stderr(), "ERROR: "+c.session.refusal)
	}
	return c.session.refusal != ""
}

func (c *conversation) say(w io.Writer, lines ...string) {
	end := "\n"
	if c.hasTerminal() {
		end = "\r\n"
	}
	_, _ = io.WriteString(w, strings.Join(lines, end)+end) // the client may be gone
}

func (c *conversation) hasTerminal() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hasTerm
}

// notice tells the client something that it did not ask for.
func (c *conversation) notice(text string) {
	c.mu.Lock()
	t := c.term
	c.mu.Unlock()
	if t != nil {
		_, _ = t.Write([]byte(text + "\n"))
		return
	}
	c.say(c.channel.Stderr(), text)
}

// execute carries out the line of "ssh admin@peer LINE", without a prompt:
// answers on the standard output, refusals on the standard error. With --json
// before the line both are JSON on the standard output.
func (c *conversation) execute(ctx context.Context, text string) int {
	if c.refused() {
		return shell.ExitUnreachable
	}
	c.session.touch()
	status := shell.ExitOK
	text, asJSON := strings.CutPrefix(text, "--json ")
	for _, a := range c.shell().Answers(ctx, strings.Split(strings.TrimRight(text, "\r\n"), "\n")) {
		if status == shell.ExitOK {
			status = a.Exit()
		}
		if asJSON {
			c.printJSON(a)
			continue
		}
		w := io.Writer(c.channel)
		if a.Err != nil {
			w = c.channel.Stderr()
		}
		if len(a.Lines) > 0 {
			c.say(w, a.Lines...)
		}
	}
	return status
}

// printJSON answers a program, on the standard output like hexad exec --json.
func (c *conversation) printJSON(a shell.Answer) {
	reply, err := shell.ReplyOf(a)
	if err != nil {
		c.session.server.options.Log.Error("answer not encoded", "err", err)
	}
	_ = shell.PrintJSON(c.channel, reply.Document()) // the client may be gone
}

// converse answers what is typed, or the lines of a pipe.
func (c *conversation) converse(ctx context.Context) int {
	if c.refused() {
		return shell.ExitUnreachable
	}
	s := c.shell()
	if !c.hasTerminal() {
		if err := s.Serve(ctx, stream{c}, ""); err != nil {
			c.say(c.channel.Stderr(), "ERROR: the lines cannot be read: "+err.Error())
			return shell.ExitUsage
		}
		return s.Exit()
	}
	o := c.session.server.options
	name := promptName(o.Name())
	c.mu.Lock()
	c.term = newTerminal(stream{c}, name+"> ", c.size, o.Commands.Complete)
	t := c.term
	c.mu.Unlock()
	defer t.SetBracketedPasteMode(false)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	banner := o.Commands.Banner(ctx, c.language())
	_, _ = fmt.Fprintf(t, "hexad %s, %s. Tab completes, ? lists what can follow, exit ends.\n", o.Release, name)
	_, _ = t.Write([]byte(strings.Join(append(banner, ""), "\n")))
	go c.notices(ctx, banner, t)
	if err := s.Serve(ctx, t, ""); err != nil {
		_, _ = t.Write([]byte("ERROR: " + err.Error() + "\n"))
	}
	return shell.ExitOK
}

// notices writes what changed of the banner while somebody looks at the prompt.
func (c *conversation) notices(ctx context.Context, before []string, t *terminal) {
	for {
		changed := c.session.server.options.Changed()
		now := c.session.server.options.Commands.Banner(ctx, c.language())
		if text := strings.Join(now, "\n"); text != strings.Join(before, "\n") {
			if before = now; text != "" {
				_, _ = t.Write([]byte(text + "\n"))
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// shell is the conversation's session of the shell.
func (c *conversation) shell() *shell.Session {
	by := c.session.by()
	by.Language = c.language()
	return shell.NewSession(guarded{c.session.server.options.Commands, c.session}, by)
}

// guarded is the command table as a session sees it: each command is carried
// out only while the account is as it was, to its end even when the client goes
// meanwhile, and not for ever.
type guarded struct {
	shell.Commands
	session *session
}

func (g guarded) Execute(ctx context.Context, line string, by command.By) (command.Result, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), runTime)
	defer stop()
	if err := g.session.current(ctx); err != nil {
		return command.Result{}, err
	}
	return g.Commands.Execute(ctx, line, by)
}

func (g guarded) Run(ctx context.Context, call command.Call) (command.Result, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), runTime)
	defer stop()
	if err := g.session.current(ctx); err != nil {
		return command.Result{}, err
	}
	return g.Commands.Run(ctx, call)
}

// stream is the channel as the client types into it: its Close is not the
// shell's business.
type stream struct{ c *conversation }

func (s stream) Read(p []byte) (int, error) {
	n, err := s.c.channel.Read(p)
	if n > 0 {
		s.c.session.touch()
	}
	return n, err
}

func (s stream) Write(p []byte) (int, error) { return s.c.channel.Write(p) }
