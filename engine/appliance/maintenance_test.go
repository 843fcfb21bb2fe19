package appliance_test

import (
	"strings"
	"testing"
	"time"
)

// TestMaintenanceMode: alarm 15015 holds while it is on, every peer sees it,
// and a restart ends it.
func TestMaintenanceMode(t *testing.T) {
	t.Parallel()
	peers := pairAt(t, 62)
	p, other := peers[1], peers[0]
	p.Exec(`xConfiguration SystemUnit Maintenance Mode: On`)
	p.AwaitAlarm(15015, true, 5*time.Second)
	other.Await("it is seen by the other", 10*time.Second, func() string {
		if e := other.Entry(p.Address); !e.Maintenance {
			return "it is not"
		}
		return ""
	})
	p.Exec(`xConfiguration SystemUnit Maintenance Mode: Off`)
	p.AwaitAlarm(15015, false, 5*time.Second)
	p.Exec(`xConfiguration SystemUnit Maintenance Mode: On`)
	p.AwaitAlarm(15015, true, 5*time.Second)
	p.Restart()
	p.AwaitAlarm(15015, false, 10*time.Second)
	if got := p.Exec("xConfiguration SystemUnit Maintenance Mode"); !strings.Contains(got, "Off") {
		t.Errorf("after the restart: %s", got)
	}
	other.Await("the other sees its end", 10*time.Second, func() string {
		if e := other.Entry(p.Address); e.Maintenance {
			return "it does not"
		}
		return ""
	})
}
