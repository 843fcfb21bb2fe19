package console_test

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dialFrom opens a connection from a loopback address.
func dialFrom(t *testing.T, from, base string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", strings.TrimPrefix(base, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// healthy asks over one connection whether the console lives.
func healthy(t *testing.T, c net.Conn) error {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if _, err := s.Write([]byte("GET /healthz HTTP/1.1\r\nHost: console\r\n\r\n")); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(s), nil)
	if err == nil {
		answer.Body.Close()
	}
	return err
}

// open counts the connections that the other side has not ended.
func open(conns []net.Conn) int {
	n := 0
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		if e, ok := err.(net.Error); ok && e.Timeout() {
			n++
		}
	}
	return n
}

// TestIdleConnections: a host holds its share and no more, all hosts together
// no more than there is room for, and whoever comes later is served.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	base := start(t, newAppliance())
	used := dialFrom(t, "127.0.0.1", base)
	if err := healthy(t, used); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for range 100 {
		conns = append(conns, dialFrom(t, "127.0.0.2", base))
	}
	if err := healthy(t, dialFrom(t, "127.0.0.2", base)); err != nil {
		t.Errorf("the 101st of one host: %v", err)
	}
	if n := open(conns); n > 48 || n < 40 {
		t.Errorf("one host holds %d connections, want 48", n)
	}
	for n := range 200 {
		conns = append(conns, dialFrom(t, "127.0.1."+string(rune('0'+n%8)), base))
	}
	if err := healthy(t, dialFrom(t, "127.0.0.3", base)); err != nil {
		t.Errorf("beside all of them: %v", err)
	}
	if n := open(conns); n > 256 {
		t.Errorf("%d connections are held, want at most 256", n)
	}
}
