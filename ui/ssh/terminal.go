package ssh

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"hexad/ui/shell"
)

// window is the size of a client's terminal, in characters.
type window struct{ columns, rows int }

// bounded is w within what a terminal can be: a client says anything.
func bounded(columns, rows uint32) window {
	w := window{int(min(max(columns, 20), 1000)), int(min(max(rows, 2), 1000))}
	if columns == 0 {
		w.columns = 80
	}
	if rows == 0 {
		w.rows = 24
	}
	return w
}

// readTerminal reads the payload of pty-req. Source: RFC 4254 section 6.2.
func readTerminal(payload []byte) (window, bool) {
	var in struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	err := ssh.Unmarshal(payload, &in)
	return bounded(in.Columns, in.Rows), err == nil
}

// readWindow reads the payload of window-change. Source: RFC 4254 section 6.7.
func readWindow(payload []byte) (window, bool) {
	var in struct{ Columns, Rows, Width, Height uint32 }
	err := ssh.Unmarshal(payload, &in)
	return bounded(in.Columns, in.Rows), err == nil
}

// readText reads the payload of exec. Source: RFC 4254 section 6.5.
func readText(payload []byte) (string, bool) {
	var in struct{ Text string }
	err := ssh.Unmarshal(payload, &in)
	return in.Text, err == nil
}

// maxTyped is the longest line, in characters, that the line editor takes: it
// drops what is typed beyond.
const maxTyped = 4096

// terminal is a line editor as a stream of lines.
type terminal struct {
	*term.Terminal
	left []byte // of the line that is being read
}

func newTerminal(rw io.ReadWriter, prompt string, w window, complete func(line string, pos int) []string) *terminal {
	t := &terminal{Terminal: term.NewTerminal(keys{ReadWriter: rw}, prompt)}
	_ = t.SetSize(w.columns, w.rows) // writes nothing yet
	t.SetBracketedPasteMode(true)
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		expanded, at, offer := shell.Expand(line, pos, complete(line, pos))
		if len(offer) > 0 {
			fmt.Fprintln(t, strings.Join(offer, "  "))
		}
		return expanded, at, true
	}
	return t
}

// Read hands over what was typed, a line at a time; io.EOF at Ctrl-D.
func (t *terminal) Read(p []byte) (int, error) {
	for len(t.left) == 0 {
		line, err := t.ReadLine()
		if err != nil && err != term.ErrPasteIndicator {
			return 0, io.EOF
		}
		if utf8.RuneCountInString(line) >= maxTyped {
			fmt.Fprintf(t, "ERROR: a line that is typed has at most %d characters\n\n", maxTyped-1)
			continue
		}
		t.left = append([]byte(line), '\n')
	}
	n := copy(p, t.left)
	t.left = t.left[n:]
	return n, nil
}

// Write shows text; what would steer the client's terminal is shown as a mark.
func (t *terminal) Write(p []byte) (int, error) {
	if _, err := t.Terminal.Write([]byte(harmless(string(p)))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// harmless is text without what would steer a terminal.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case r == '\r':
			return -1
		case r < ' ', r >= 0x7f && r < 0xa0:
			return '\u00b7'
		}
		return r
	}, text)
}

// maxPrompt is how much of a system's name the prompt shows, in characters.
const maxPrompt = 32

// promptName is what the prompt calls a system.
func promptName(name string) string {
	name = strings.Join(strings.Fields(harmless(name)), " ")
	if name == "" {
		return "hexad"
	}
	if runes := []rune(name); len(runes) > maxPrompt {
		name = string(runes[:maxPrompt])
	}
	return name
}

// keys is what is typed, with Ctrl-C as the keys that do what people expect of
// it: the line is thrown away and a new one begins.
type keys struct{ io.ReadWriter }

const ctrlC = 3

// abandoned goes to the end of the line, deletes it and enters nothing.
var abandoned = []byte{5, 21, '\r'}

func (k keys) Read(p []byte) (int, error) {
	// A byte can become three.
	n, err := k.ReadWriter.Read(p[:max(1, len(p)/len(abandoned))])
	typed := append([]byte(nil), p[:n]...)
	out := p[:0]
	for _, b := range typed {
		if b == ctrlC && len(out)+len(abandoned) <= len(p) {
			out = append(out, abandoned...)
			continue
		}
		if b != ctrlC {
			out = append(out, b)
		}
	}
	return len(out), err
}
