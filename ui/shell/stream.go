package shell

import (
	"bufio"
	"context"
	"io"
	"strings"

	"hexad/ui/command"
)

// Serve holds the conversation over a stream of lines until the other side
// ends it, says exit, or ctx ends; then rw is closed when it can be. The
// prompt is written before each line that is waited for, unless it is empty.
func (s *Session) Serve(ctx context.Context, rw io.ReadWriter, prompt string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if c, ok := rw.(io.Closer); ok {
		defer context.AfterFunc(ctx, func() { c.Close() })()
	}
	lines, failed := Read(ctx, rw)
	for {
		if prompt != "" {
			if _, err := io.WriteString(rw, prompt); err != nil {
				return nil // the other side is gone
			}
		}
		select {
		case line, ok := <-lines:
			if !ok {
				return <-failed
			}
			if done := s.converse(ctx, rw, line, lines); done {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// converse answers a line and what was pasted with it.
func (s *Session) converse(ctx context.Context, w io.Writer, line string, lines <-chan string) (done bool) {
	for more := true; more; {
		var burst []string
		burst, line, more = Gather(line, lines)
		for _, a := range s.Answers(ctx, burst) {
			if s.exit == ExitOK {
				s.exit = a.Exit()
			}
			if len(a.Lines) > 0 {
				if _, err := io.WriteString(w, strings.Join(a.Lines, "\n")+"\n\n"); err != nil {
					return true
				}
			}
			if a.Close {
				return true
			}
		}
	}
	return false
}

// Read hands the lines of r over until it ends or ctx does. The error comes
// after the lines: nil at the end of r.
func Read(ctx context.Context, r io.Reader) (<-chan string, <-chan error) {
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		defer close(lines)
		scan := bufio.NewScanner(r)
		scan.Buffer(make([]byte, 4096), command.MaxLine+2)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			case <-ctx.Done():
				failed <- nil
				return
			}
		}
		if err := scan.Err(); ctx.Err() == nil {
			failed <- err
			return
		}
		failed <- nil
	}()
	return lines, failed
}
