package appliance_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine/appliance"
	"hexad/engine/appliance/appliancetest"
)

// TestCrash: a process that ends by itself is back within a second, says so and
// has lost nothing.
func TestCrash(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.60.1").Up()
	p.Exec(`xCommand ZoneAdd ZoneName: "kept" Type: Neighbor`)
	for n, wait := range []string{"100ms", "200ms", "400ms"} {
		before := p.Child()
		p.Signal(syscall.SIGKILL)
		p.Await("has another child", time.Second, func() string {
			if child := p.Child(); child == 0 || child == before {
				return fmt.Sprintf("child is %d", child)
			}
			return ""
		})
		p.Answers()
		if line := fmt.Sprintf(`cause="signal: killed" crashes="%d" in="%s"`, n+1, wait); !strings.Contains(p.Log(), line) {
			t.Errorf("no line with %s", line)
		}
	}
	p.AwaitAlarm(15004, true, time.Second)
	if d := p.Detail(15004); !strings.Contains(d, "signal: killed") {
		t.Errorf("15004 says %q", d)
	}
	if got := p.Exec("xConfiguration Zones Zone"); !strings.Contains(got, `"kept"`) {
		t.Errorf("after the crashes it has %s", got)
	}
	p.Restart() // asked for: a new beginning
	p.AwaitAlarm(15004, false, 8*time.Second)
}

// TestParentKilled: no child outlives its parent, and the next start does not
// stumble over one that is still ending.
func TestParentKilled(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.60.2").Up()
	for range 3 {
		child := p.Child()
		if err := syscall.Kill(p.Parent(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.AwaitEnd(time.Second)
		p.Up()
		if now := p.Child(); now == 0 || now == child {
			t.Fatalf("child %d after %d", now, child)
		}
		if appliancetest.Alive(child) {
			t.Errorf("the child %d of the killed parent lives", child)
		}
	}
}

// TestSecondSystem: a data directory serves one system. Whoever comes second is
// told so and ends; the first does not notice, whatever state it is in.
func TestSecondSystem(t *testing.T) {
	t.Parallel()
	first := appliancetest.New(t, 1, "127.0.60.3").Up()
	second := appliancetest.New(t, 2, "127.0.60.4")
	second.Dir = first.Dir
	refused := func() {
		t.Helper()
		mark := len(second.Log())
		second.Start()
		if status := second.AwaitEnd(3 * time.Second); status != 1 {
			t.Errorf("exit status %d, want 1", status)
		}
		want := fmt.Sprintf("the data directory %s is in use by process %d", first.Dir, first.Parent())
		if got := second.Log()[mark:]; !strings.Contains(got, want) || !strings.Contains(got, "--data-dir") || strings.Contains(got, "starting it again") {
			t.Errorf("the second says\n%s\nwant %s", got, want)
		}
	}
	child := first.Child()
	refused()
	if first.Child() != child {
		t.Error("the first has another child")
	}
	first.Signal(syscall.SIGKILL)
	refused() // between two lives of the first's child
	first.Await("is back", 5*time.Second, func() string {
		_, err := first.Try(`xCommand ZoneAdd ZoneName: "unharmed" Type: Neighbor`)
		return why(err)
	})
}

// TestTaken: what cannot be listened on is named with a remedy, and the system
// ends instead of trying without an end.
func TestTaken(t *testing.T) {
	for i, c := range []struct{ name, port, remedy string }{
		{"peer link", "4371", "stop what uses the port"},
		{"cluster database", "4372", "stop what uses the port"},
		{"console", "8443", "--https-port"},
		{"H.323 RAS", "1719", "--ras-port"},
		{"address of another host", "", "--address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := fmt.Sprintf("127.0.61.%d", i+1)
			if c.port == "" {
				address = "192.0.2.77"
			} else if c.port == "1719" {
				conn, err := net.ListenPacket("udp", net.JoinHostPort(address, c.port))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
			} else {
				ln, err := net.Listen("tcp", net.JoinHostPort(address, c.port))
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
			}
			p := appliancetest.New(t, 1, address)
			p.Start()
			if status := p.AwaitEnd(8 * time.Second); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			if got := p.Log(); !strings.Contains(got, net.JoinHostPort(address, c.port)) || !strings.Contains(got, c.remedy) || strings.Contains(got, "starting it again") {
				t.Errorf("it says\n%s\nwant the address, the port and %q", got, c.remedy)
			}
		})
	}
}

// told is what a tracker was told.
type told []string

func (s *told) Raise(_ context.Context, id int, _ string, params map[string]string) {
	*s = append(*s, fmt.Sprint("raised ", id, " ", params["detail"], " ", params["count"]))
}

func (s *told) Lower(_ context.Context, id int, _ string) {
	*s = append(*s, fmt.Sprint("lowered ", id))
}

// TestCrashAlarm: the alarm of a crash stands for ten minutes.
func TestCrashAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got told
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		appliance.NoteCrash(ctx, &got, 0, "")
		if len(got) != 0 {
			t.Errorf("without a crash: %v", got)
		}
		appliance.NoteCrash(ctx, &got, 2, "signal: killed")
		time.Sleep(10*time.Minute - time.Second)
		synctest.Wait()
		if want := "[raised 15004 signal: killed 2]"; fmt.Sprint(got) != want {
			t.Errorf("before ten minutes: %v, want %s", got, want)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(got) != 2 || got[1] != "lowered 15004" {
			t.Errorf("after ten minutes: %v", got)
		}
	})
}
