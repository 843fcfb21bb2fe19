package main

import (
	"fmt"
	"syscall"
	"time"
)

// processFaults end, stop and starve the processes of the peers.
func processFaults() []kind {
	const short = 200 * time.Millisecond
	killed := func(name string, count int) kind {
		return kind{name: name, least: short, most: 2 * time.Second, inject: func(s *scene) error { return s.kill(s.some(count)) }}
	}
	return []kind{
		killed("kill -9 one", 1),
		killed("kill -9 two", 2),
		killed("kill -9 three", 3),
		killed("kill -9 all", peerCount),
		{name: "kill -9 primary", least: short, most: 2 * time.Second, inject: func(s *scene) error {
			return s.kill([]int{max(1, s.look.primary())})
		}},
		{name: "child killed", least: short, most: time.Second, inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			// Its parent starts another, the later the oftener it ended: that pause is no part of the heal.
			before := s.peer(n).child()
			s.heal(func() error {
				return waitFor(s.ctx, 30*time.Second, "another child", func() error {
					if now := s.peer(n).child(); now == 0 || now == before {
						return fmt.Errorf("child %d", now)
					}
					return nil
				})
			})
			return s.peer(n).signal(syscall.SIGKILL)
		}},
		{name: "stopped and started", least: short, most: time.Second, inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			s.heal(func() error { return s.peer(n).start() })
			return s.peer(n).stop()
		}},
		{name: "restart command", least: short, most: time.Second, inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			return s.peer(n).restart(s.ctx)
		}},
		{name: "paused", least: 500 * time.Millisecond, most: 5 * time.Second, inject: func(s *scene) error { return s.pause([]int{s.one()}) }},
		{name: "primary paused", least: time.Second, most: 4 * time.Second, inject: func(s *scene) error {
			return s.pause([]int{max(1, s.look.primary())})
		}},
		{name: "two paused", least: 500 * time.Millisecond, most: 4 * time.Second, inject: func(s *scene) error { return s.pause(s.some(2)) }},
		{name: "processor 10%", least: time.Second, most: 3 * time.Second, needs: controlled("cpu"), inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			g := s.peer(n).groups
			s.heal(func() error { return g.set("cpu", "cpu.cfs_quota_us", "-1") })
			return g.set("cpu", "cpu.cfs_quota_us", "10000") // of a period of 100,000
		}},
		{name: "memory limit", least: time.Second, most: 3 * time.Second, needs: controlled("memory"), inject: memory},
	}
}

func controlled(controller string) func(*bed) bool {
	return func(b *bed) bool { return b.peers[0].groups.has(controller) }
}

// kill ends peers at once, and starts them again to heal.
func (s *scene) kill(group []int) error {
	s.aim("%s", commas(group))
	if left := others(group); len(left) > 0 {
		s.parted(raisedByReset, nil, nil)
		for _, n := range left {
			s.raised[n] = []int{alarmCommunication, alarmDatabase}
		}
	}
	var killed []*peer
	for _, n := range group {
		killed = append(killed, s.peer(n))
	}
	s.heal(func() error { return each(killed, (*peer).start) })
	return each(killed, (*peer).kill)
}

// pause stops processes without ending them: their connections stay.
func (s *scene) pause(group []int) error {
	s.aim("%s", commas(group))
	s.parted(raisedBySilence, nil, nil)
	for _, n := range others(group) {
		s.raised[n] = []int{alarmCommunication, alarmDatabase}
	}
	for _, n := range group {
		p := s.peer(n)
		child := p.child()
		if child == 0 {
			return fmt.Errorf("peer %d has no child", n)
		}
		s.heal(func() error { return syscall.Kill(child, syscall.SIGCONT) })
		if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
			return err
		}
	}
	return nil
}

// memory leaves a peer hardly more memory than it has now. The kernel may end
// its child, or the parent too.
func memory(s *scene) error {
	n := s.one()
	s.aim("%d", n)
	p := s.peer(n)
	used, err := p.groups.number("memory", "memory.usage_in_bytes")
	if err != nil {
		return err
	}
	s.heal(func() error {
		if err := p.groups.set("memory", "memory.limit_in_bytes", "-1"); err != nil || p.runs() {
			return err
		}
		return p.start()
	})
	const more = 1 << 20
	return p.groups.set("memory", "memory.limit_in_bytes", fmt.Sprint(used+more))
}
