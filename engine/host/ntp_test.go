package host_test

import (
	"context"
	"encoding/binary"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/host"
)

// startNTP is an NTP server whose clock is ahead by offset; stratum 0 refuses.
func startNTP(t *testing.T, ip string, offset *atomic.Int64, stratum byte) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			now := time.Now().Add(time.Duration(offset.Load()))
			out := make([]byte, 48)
			out[0], out[1], out[2], out[3] = 0<<6|4<<3|4, stratum, 6, 0xEC
			copy(out[12:16], "RATE")
			copy(out[24:32], b[40:48]) // RFC 5905: originate is the client's transmit time
			for at, when := range map[int]time.Time{16: now.Add(-time.Minute), 32: now, 40: now} {
				binary.BigEndian.PutUint32(out[at:], uint32(when.Unix()+2208988800))
				binary.BigEndian.PutUint32(out[at+4:], uint32(uint64(when.Nanosecond())<<32/1e9))
			}
			pc.WriteTo(out, from)
		}
	}()
	return pc.LocalAddr().String()
}

func TestNTP(t *testing.T) {
	t.Parallel()
	var exact, ahead atomic.Int64
	ahead.Store(int64(3 * time.Second))
	good, wrong := startNTP(t, "127.0.0.101", &exact, 2), startNTP(t, "127.0.0.102", &ahead, 2)
	refusing := startNTP(t, "127.0.0.103", &exact, 0)
	tests := []struct {
		name    string
		servers []string
		want    string
		offset  float64
		cause   string
	}{
		{"none", nil, host.Unconfigured, 0, ""},
		{"empty fields", []string{"", ""}, host.Unconfigured, 0, ""},
		{"good", []string{good}, host.Synchronized, 0, ""},
		{"clock differs", []string{wrong}, host.Unsynchronized, 3000, "clock differs"},
		{"one refuses", []string{refusing, good}, host.Synchronized, 0, refusing},
		{"all refuse", []string{refusing}, host.NTPFailed, 0, refusing},
		{"no such server", []string{"no.such.name"}, host.NTPFailed, 0, "does not exist"},
	}
	r := host.NewResolver(nil, nil)
	r.Set(host.Names{Servers: []string{startDNS(t, "127.0.0.104", nil).addr}})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n := host.NewNTP(r.Lookup, nil)
			n.Set(test.servers)
			got := n.Check(t.Context())
			if got.State != test.want || math.Abs(got.OffsetMS-test.offset) > 250 || !strings.Contains(got.Cause, test.cause) {
				t.Errorf("%+v, want %s, offset about %v, cause %q", got, test.want, test.offset, test.cause)
			}
		})
	}
}

// TestNTPRun: a new list of servers is asked at once, and a change of state told.
func TestNTPRun(t *testing.T) {
	t.Parallel()
	var exact atomic.Int64
	good := startNTP(t, "127.0.0.105", &exact, 1)
	var mu sync.Mutex
	var states []string
	n := host.NewNTP(host.NewResolver(nil, nil).Lookup, func(f engine.NTPFacts) {
		mu.Lock()
		defer mu.Unlock()
		states = append(states, f.State)
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	n.Set([]string{good})
	waitFor(t, "synchronization", func() bool { return n.Facts().State == host.Synchronized })
	n.Set(nil)
	waitFor(t, "no servers", func() bool { return n.Facts().State == host.Unconfigured })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(states, " "); got != "Synchronized Unconfigured" {
		t.Errorf("told %q", got)
	}
}
