package shell_test

import (
	"bytes"
	"strings"
	"testing"

	"hexad/ui/command"
	"hexad/ui/shell"
)

// FuzzRead reads any bytes as the lines of a session: none is longer than a
// command may be, nothing is invented, and reading ends.
func FuzzRead(f *testing.F) {
	f.Add([]byte("xStatus\r\nxCommand ZoneAdd ZoneName: \"a\"\n\n"))
	f.Add([]byte("\x00\xff\r\r\n\x1b[A"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, failed := shell.Read(t.Context(), bytes.NewReader(data))
		size := 0
		for line := range lines {
			if len(line) > command.MaxLine+2 || strings.Contains(line, "\n") {
				t.Fatalf("a line of %d bytes", len(line))
			}
			size += len(line)
		}
		if <-failed; size > len(data) {
			t.Fatalf("%d bytes in lines of %d", size, len(data))
		}
	})
}
