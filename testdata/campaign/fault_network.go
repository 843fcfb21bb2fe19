package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

// networkFaults break the network between the peers. Source: reference/faults.md 2.2.
func networkFaults() []kind {
	const short, long = 300 * time.Millisecond, 4500 * time.Millisecond
	out := []kind{
		{name: "isolate", least: short, most: long, inject: func(s *scene) error {
			return s.split("isolate", s.some(1))
		}},
		{name: "halves", least: short, most: long, inject: func(s *scene) error {
			return s.split("partition", s.some(3))
		}},
		{name: "minority", least: short, most: long, inject: func(s *scene) error {
			return s.split("partition", s.some(2))
		}},
		{name: "primary alone", least: time.Second, most: long, inject: func(s *scene) error {
			return s.split("isolate", []int{max(1, s.look.primary())})
		}},
		{name: "mute", least: short, most: long, inject: func(s *scene) error { return s.split("mute", s.some(1)) }},
		{name: "deaf", least: short, most: long, inject: func(s *scene) error { return s.split("deaf", s.some(1)) }},
		{name: "one way", least: short, most: long, inject: func(s *scene) error {
			a := s.one()
			b := others([]int{a})[s.rand.IntN(peerCount-1)]
			s.aim("%d to %d", a, b)
			s.parted(raisedBySilence, []int{a}, []int{b}, alarmCommunication, alarmDatabase)
			return s.lab("cut", fmt.Sprint(a), fmt.Sprint(b))
		}},
		{name: "cable pulled", least: short, most: long, inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			s.parted(raisedBySilence, []int{n}, others([]int{n}), alarmCommunication, alarmDatabase)
			return s.lab("link", fmt.Sprint(n), "down")
		}},
		port("database port cut", "tcp:4372", alarmDatabase),
		port("peer link port cut", "tcp:4371", alarmCommunication),
		port("RAS port cut", "udp:1719"),
		{name: "swizzle", least: short, most: time.Second, inject: swizzle},
		{name: "rate 256 kbit/s", least: time.Second, most: 3 * time.Second, inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			return s.lab("rate", fmt.Sprint(n), "256kbit")
		}},
		{name: "noise", least: time.Second, most: 3 * time.Second, inject: noise},
	}
	for _, percent := range []int{1, 5, 20, 50} {
		out = append(out, kind{name: fmt.Sprintf("loss %d%%", percent), least: time.Second, most: 3 * time.Second, inject: func(s *scene) error {
			s.aim("everywhere")
			return s.lab("loss", "all", "all", fmt.Sprint(percent))
		}})
	}
	for _, ms := range []int{20, 40, 200} {
		out = append(out, wire(fmt.Sprintf("delay %d ms", ms), fmt.Sprint(ms)))
	}
	return append(out, wire("jitter and reorder", "20", "15", "--reorder"), wire("duplicates", "1", "--dup", "20"))
}

// split cuts a group from the others by a command of the lab.
func (s *scene) split(how string, group []int) error {
	s.aim("%s", commas(group))
	s.parted(raisedBySilence, group, others(group), alarmCommunication, alarmDatabase)
	if how == "partition" {
		return s.lab(how, commas(group), commas(others(group)))
	}
	return s.lab(how, commas(group))
}

// port cuts one service of a peer, both ways.
func port(name, port string, alarms ...int) kind {
	return kind{name: name, least: 500 * time.Millisecond, most: 4500 * time.Millisecond, inject: func(s *scene) error {
		n := s.one()
		s.aim("%d", n)
		s.parted(raisedBySilence, []int{n}, others([]int{n}), alarms...)
		return s.lab("isolate", fmt.Sprint(n), port)
	}}
}

// wire sends everything through the lab's own wire, which holds packets.
func wire(name string, args ...string) kind {
	return kind{name: name, least: 1500 * time.Millisecond, most: 3 * time.Second, inject: func(s *scene) error {
		s.aim("everywhere")
		return s.lab(append([]string{"delay", "all", "all"}, args...)...)
	}}
}

// swizzle cuts peers one by one in an order by chance, and heals them one by
// one in another. Source: FoundationDB's swizzle-clogging.
func swizzle(s *scene) error {
	group := s.some(3)
	order := s.rand.Perm(len(group))
	s.aim("%s", commas(group))
	s.heal(func() error {
		ctx := context.WithoutCancel(s.ctx)
		for _, i := range s.rand.Perm(len(group)) {
			if err := s.bed.lab.do(ctx, "heal", fmt.Sprint(group[i]), "all"); err != nil {
				return err
			}
		}
		return s.bed.lab.do(ctx, "heal")
	})
	for _, i := range order {
		if err := s.bed.lab.do(s.ctx, "isolate", fmt.Sprint(group[i])); err != nil {
			return err
		}
		time.Sleep(s.between(0, 300*time.Millisecond))
	}
	return nil
}

// noise sends what nobody should to the ports of one peer, from outside.
func noise(s *scene) error {
	n := s.one()
	s.aim("at %d", n)
	ctx, stop := context.WithCancel(s.ctx)
	s.heal(func() error { stop(); return nil })
	host := s.peer(n).address
	chance := s.rand.Uint64()
	for i, port := range []string{"4371", "4372", "8443"} {
		go hostile(ctx, s.bed.lab, net.JoinHostPort(host, port), chance+uint64(i))
	}
	go rubbish(ctx, s.bed.lab, net.JoinHostPort(host, "1719"), chance)
	return nil
}
