package main

import (
	"context"
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// names is the DNS server of the lab, in the outside namespace: it knows the
// peers, forwards and backwards, and can be silent or lie.
type names struct {
	server *dns.Server

	mu       sync.Mutex
	forward  map[string]net.IP
	backward map[string]string
	silent   bool
	wrong    map[string]net.IP // what it says instead
}

// serveNames starts the server for the peers; ctx ends it.
func serveNames(ctx context.Context, l *lab, peers []*peer) (*names, error) {
	s := &names{forward: map[string]net.IP{}, backward: map[string]string{}, wrong: map[string]net.IP{}}
	for _, p := range peers {
		arpa, err := dns.ReverseAddr(p.address)
		if err != nil {
			return nil, err
		}
		s.forward[dns.Fqdn(p.fqdn())], s.backward[arpa] = net.ParseIP(p.address), dns.Fqdn(p.fqdn())
	}
	var conn net.PacketConn
	if err := l.inside("mgmt", func() (err error) {
		conn, err = net.ListenPacket("udp4", mgmt+":53")
		return err
	}); err != nil {
		return nil, err
	}
	s.server = &dns.Server{PacketConn: conn, Handler: s}
	go func() { _ = s.server.ActivateAndServe() }()
	context.AfterFunc(ctx, func() { conn.Close() })
	return s, nil
}

// set makes the server silent, or lie about a name, or (with nothing) honest.
func (s *names) set(silent bool, name string, ip net.IP) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent, s.wrong = silent, map[string]net.IP{}
	if name != "" {
		s.wrong[dns.Fqdn(name)] = ip
	}
}

// ServeDNS answers one question.
func (s *names) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent || len(r.Question) == 0 {
		return
	}
	answer := new(dns.Msg).SetReply(r)
	q := r.Question[0]
	name := strings.ToLower(q.Name)
	head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 5}
	ip, known := s.forward[name]
	if lie, lying := s.wrong[name]; lying {
		ip = lie
	}
	target, reverse := s.backward[name]
	switch {
	case known && q.Qtype == dns.TypeA:
		answer.Answer = append(answer.Answer, &dns.A{Hdr: head, A: ip})
	case reverse && q.Qtype == dns.TypePTR:
		answer.Answer = append(answer.Answer, &dns.PTR{Hdr: head, Ptr: target})
	case !known && !reverse:
		answer.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(answer) // who asks asks again
}
