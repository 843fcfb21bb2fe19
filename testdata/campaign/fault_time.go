package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

const (
	hour = time.Hour
	long = 400 * 24 * time.Hour // longer than certificates live
)

// timeFaults are wrong clocks, wrong or silent names, and certificates that
// expire, name somebody else or are replaced under way.
func timeFaults() []kind {
	settable := func(b *bed) bool { return b.settable }
	clock := func(name string, by time.Duration) kind {
		return kind{name: name, least: time.Second, most: 2500 * time.Millisecond, needs: settable, inject: func(s *scene) error {
			group := s.some(1 + s.rand.IntN(2))
			s.aim("%s", commas(group))
			for _, n := range group {
				p := s.peer(n)
				s.heal(func() error { return p.setSkew(0) })
				if err := p.setSkew(by); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	certificate := func(name string, hold time.Duration, issue func(s *scene, p *peer) (string, error)) kind {
		return kind{name: name, least: hold, most: hold + time.Second, inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			p := s.peer(n)
			s.heal(func() error {
				text, err := s.bed.authority.issue(p.fqdn(), time.Now().Add(12*time.Hour))
				if err != nil {
					return err
				}
				return s.certify(p, text)
			})
			text, err := issue(s, p)
			if err != nil {
				return err
			}
			return s.certify(p, text)
		}}
	}
	return []kind{
		clock("clock +1 h", hour), clock("clock -1 h", -hour), clock("clock +400 d", long), clock("clock -400 d", -long),
		{name: "clock jumps", least: 100 * time.Millisecond, most: time.Second, needs: settable, inject: func(s *scene) error {
			p := s.peer(s.one())
			s.aim("%d", p.n)
			s.heal(func() error { return p.setSkew(0) })
			for range 6 {
				if err := p.setSkew(s.between(-hour, hour)); err != nil {
					return err
				}
				sleep(s.ctx, s.between(100*time.Millisecond, 400*time.Millisecond))
			}
			return nil
		}},
		{name: "names silent", least: time.Second, most: 3 * time.Second, inject: func(s *scene) error {
			s.aim("everywhere")
			s.heal(func() error { s.bed.names.set(false, "", nil); return nil })
			s.bed.names.set(true, "", nil)
			return nil
		}},
		{name: "names wrong", least: time.Second, most: 3 * time.Second, inject: func(s *scene) error {
			p := s.peer(s.one())
			s.aim("about %d", p.n)
			s.heal(func() error { s.bed.names.set(false, "", nil); return nil })
			s.bed.names.set(false, p.fqdn(), net.ParseIP("198.51.100.77"))
			return nil
		}},
		certificate("certificate expires", 2*time.Second, func(s *scene, p *peer) (string, error) {
			return s.bed.authority.issue(p.fqdn(), time.Now().Add(1500*time.Millisecond))
		}),
		certificate("certificate of another name", time.Second, func(s *scene, p *peer) (string, error) {
			return s.bed.authority.issue("another.example.com", time.Now().Add(hour))
		}),
		certificate("certificate replaced", time.Second, func(s *scene, p *peer) (string, error) {
			return s.bed.authority.issue(p.fqdn(), time.Now().Add(hour))
		}),
	}
}

// certify replaces the certificate and key of a peer. The other peers are told
// of the new key, for which the group must be able to commit.
func (s *scene) certify(p *peer, text string) error {
	a := p.administrator(30 * time.Second)
	defer a.close()
	ctx := context.WithoutCancel(s.ctx)
	return waitFor(ctx, 20*time.Second, fmt.Sprintf("peer %d takes a certificate", p.n), func() error {
		_, err := a.call(ctx, "ServerCertificateSet", text, nil)
		if err == nil {
			s.look.seen.count("certificate replaced")
		}
		return err
	})
}
