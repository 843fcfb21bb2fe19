package console_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestUploadBeforeSettings: whoever sends as much as HTTP/2 allows before it has
// heard of the server's own window is served (RFC 9113 section 6.9.3).
func TestUploadBeforeSettings(t *testing.T) {
	t.Parallel()
	base, err := url.Parse(start(t, newAppliance()))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", base.Host, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var head, all bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, f := range [][2]string{{":method", http.MethodPost}, {":scheme", "https"}, {":authority", base.Host}, {":path", "/api/v1/backups/restore"}} {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	all.WriteString(http2.ClientPreface)
	out := http2.NewFramer(&all, conn)
	if err := out.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if err := out.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	const window = 65535 // before any SETTINGS
	for left := window; left > 0; {
		n := min(left, 16384)
		if err := out.WriteData(1, false, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		left -= n
	}
	if _, err := conn.Write(all.Bytes()); err != nil {
		t.Fatal(err)
	}
	in := http2.NewFramer(io.Discard, conn)
	for {
		frame, err := in.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := frame.(type) {
		case *http2.HeadersFrame:
			return // an answer, whatever it says
		case *http2.RSTStreamFrame:
			if f.ErrCode == http2.ErrCodeFlowControl {
				t.Fatalf("the stream was ended: %v", f.ErrCode)
			}
			return
		case *http2.GoAwayFrame:
			t.Fatalf("the connection was ended: %v", f.ErrCode)
		}
	}
}
