package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"hexad/engine"
)

// maxBody bounds every body on the peer link.
const maxBody = 4 << 20

// keepContacts runs one pair of loops (peer link, database port) for each
// other peer and follows changes of the list and of the members.
func (s *Service) keepContacts(ctx context.Context) {
	for {
		s.arrange(ctx)
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
	}
}

// arrange makes the set of peers what list and members say.
func (s *Service) arrange(ctx context.Context) {
	own := s.indexOf(s.Running().Peers)
	targets := s.Targets()
	s.mu.Lock()
	defer s.mu.Unlock()
	want := map[string]engine.Member{}
	for i, address := range s.page.Running.Peers {
		if i+1 != own {
			want[strings.ToLower(address)] = engine.Member{Address: address}
		}
	}
	for _, m := range targets {
		if len(s.page.Running.Peers) > 0 {
			want[strings.ToLower(m.Address)] = m
		}
	}
	for key, stop := range s.contacts {
		m, ok := want[key]
		if ok && s.peers[key].remains(m) {
			continue
		}
		stop()
		delete(s.contacts, key)
		if !ok {
			delete(s.peers, key)
		}
	}
	for key, m := range want {
		if s.contacts[key] != nil {
			continue
		}
		p := s.peers[key]
		if p == nil {
			p = &peer{address: m.Address, since: time.Now(), born: time.Now(), shown: engine.PeerUnknown}
			s.peers[key] = p
		}
		p.become(m)
		peerCtx, stop := context.WithCancel(ctx)
		s.contacts[key] = stop
		go s.contact(peerCtx, p)
		if m.Node != "" {
			go s.watchDatabase(peerCtx, p, m.Node)
		}
	}
}

// remains reports whether m is the member that p was, and takes up its key then:
// a member with another key is the same one.
func (p *peer) remains(m engine.Member) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	same := p.node == m.Node
	if same {
		p.key = m.Fingerprint
	}
	return same
}

func (p *peer) become(m engine.Member) {
	if p.remains(m) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node, p.key = m.Node, m.Fingerprint
	p.up, p.rtts, p.facts, p.version, p.told = false, nil, engine.Facts{}, "", ""
	p.dbTried, p.dbUp, p.met, p.dbMet = false, false, false, false
}

// contact keeps exchanging facts with one peer until ctx ends. All peers are
// called at the same instants: a process that sleeps in between is woken once.
func (s *Service) contact(ctx context.Context, p *peer) {
	for n := 0; ; n++ {
		if p.member() != "" {
			s.exchange(ctx, p)
		} else if n%4 == 0 {
			s.probe(ctx, p)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.o.Beat - time.Since(s.born)%s.o.Beat):
		}
	}
}

func (p *peer) member() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.node
}

// exchange sends own facts to a member and takes its. A connection that broke
// is tried once more at once: a restarted peer is not a failed one.
func (s *Service) exchange(ctx context.Context, p *peer) {
	var answer beat
	var rtt time.Duration
	whole := ctx
	patience := s.o.Timeout
	if p.state() == engine.PeerFailed { // it is tried again soon: what was lost when the network came back is not waited for
		patience /= 2
	}
	ctx, stop := context.WithTimeout(ctx, patience) // for both tries
	defer stop()
	silent, answers := context.WithCancel(whole)
	suspect := time.AfterFunc(s.o.Timeout/3, func() {
		defer answers()
		s.checkDatabase(silent, p)
	})
	defer func() {
		if suspect.Stop() {
			answers()
		}
	}()
	told, known := p.versions()
	err := s.call(ctx, p.member(), "/v1/beat", s.say(told, known), &answer, &rtt)
	if err != nil && ctx.Err() == nil {
		err = s.call(ctx, p.member(), "/v1/beat", s.say("", known), &answer, &rtt)
	}
	if whole.Err() != nil {
		return
	}
	now := time.Now()
	if err == nil && answer.Live.Node != p.member() {
		err = engine.Errorf(engine.Denied, "answers as node %.8s, not as the member %.8s", answer.Live.Node, p.member())
	}
	if err != nil {
		cause, port := causeOf(err)
		if p.failed(cause, port, now) {
			s.stateChanged(p, false, cause)
		}
		return
	}
	answers() // what is slow to answer here may be slow to take a connection
	s.accepted(p.member(), p.address)
	first, farther := p.answered(answer.SeenAs, rtt, now)
	if first {
		s.stateChanged(p, true, "")
	} else if farther {
		signal(s.kick)
	}
	s.heard(p, answer)
	s.askMembers(whole, p, answer.Live.Store.Applied)
}

// probe looks whether a listed address that is no member yet is there at all.
func (s *Service) probe(ctx context.Context, p *peer) {
	ctx, stop := context.WithTimeout(ctx, s.o.Timeout)
	defer stop()
	err := s.o.Link.Probe(ctx, p.address)
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	cause, port := "answers, but is not a member yet: enter this cluster's settings there and restart it", 0
	if err != nil {
		cause, port = causeOf(err)
	} else if why := s.refusedJoin(p.address); why != "" {
		cause = why
	}
	if p.failed(cause, port, time.Now()) {
		s.stateChanged(p, false, cause)
	}
}

// stateChanged wakes the alarms and writes the log lines of a lost or found peer.
func (s *Service) stateChanged(p *peer, up bool, cause string) {
	signal(s.kick)
	s.notify()
	if p.member() == "" {
		return
	}
	lines := s.o.Lines.PeerUp(p.address)
	if !up {
		lines = s.o.Lines.PeerDown(p.address, cause)
	}
	for _, e := range lines {
		s.o.Emit(e)
	}
}

// watchDatabase holds one idle connection to a member's database port: its end
// is how a cut link is noticed although Raft has nothing to say to that peer.
func (s *Service) watchDatabase(ctx context.Context, p *peer, node string) {
	for ctx.Err() == nil {
		dialCtx, stop := context.WithTimeout(ctx, s.o.Timeout/2)
		conn, err := s.o.Link.DialDatabase(dialCtx, node)
		stop()
		if err == nil {
			p.watch(conn)
			if p.database(true, "", 0) {
				signal(s.kick)
			}
			end := context.AfterFunc(ctx, func() { conn.Close() })
			_, err = io.ReadAll(io.LimitReader(conn, 1)) // the other side never sends
			end()
			conn.Close()
		}
		if ctx.Err() != nil {
			return
		}
		cause, _ := causeOf(err)
		if p.database(false, cause, portOf(err)) {
			signal(s.kick)
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.o.Beat):
		}
	}
}

// checkDatabase looks whether a peer whose link is silent answers on its
// database port, until ctx ends because the link is not silent any more. The
// connection that watchDatabase holds cannot tell: the kernel of a peer that is
// stopped keeps it.
func (s *Service) checkDatabase(ctx context.Context, p *peer) {
	node := p.member()
	ctx, stop := context.WithTimeout(ctx, s.o.Timeout/2)
	defer stop()
	conn, err := s.o.Link.DialDatabase(ctx, node)
	switch {
	case err == nil:
		conn.Close()
	case !errors.Is(ctx.Err(), context.Canceled) && p.member() == node:
		cause, _ := causeOf(err)
		if p.database(false, cause, portOf(err)) {
			signal(s.kick)
		}
		p.unwatch() // it is dialled anew, until that works
	}
}

// call posts in to a member and reads its answer. rtt, when asked for, is the
// time from request to the answer's headers.
func (s *Service) call(ctx context.Context, node, path string, in, out any, rtt *time.Duration) error {
	client, err := s.o.Link.Client(node)
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, s.o.Timeout)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+node+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if rtt != nil {
		*rtt = time.Since(began)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var e engine.Error
		if json.Unmarshal(raw, &e) != nil || e.Code == "" {
			return fmt.Errorf("peer answered %s", resp.Status)
		}
		return &e
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// causeOf turns an error of contact into words for the clustering page, and
// the port that could not be connected to (0 when a connection came about).
func causeOf(err error) (string, int) {
	var e *engine.Error
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &e):
		return e.Message, portOf(err)
	case errors.As(err, &dns):
		return "name not resolved: " + dns.Name, 0
	case errors.As(err, &op) && op.Op == "dial":
		port := portOf(err)
		if isTimeout(err) {
			return fmt.Sprintf("no answer on port %d", port), port
		}
		return fmt.Sprintf("no connection to port %d: %s", port, short(op.Err)), port
	case isTimeout(err):
		return "does not answer", LinkPort
	case err == nil || errors.Is(err, io.EOF):
		return "the connection was closed by the peer", 0
	default:
		return short(err), 0
	}
}

func portOf(err error) int {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		if tcp, ok := op.Addr.(*net.TCPAddr); ok {
			return tcp.Port
		}
		return LinkPort
	}
	return 0
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &t) && t.Timeout())
}

// short is the last part of a wrapped error: what people want to read.
func short(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 && len(text)-i > 4 {
		return text[i+2:]
	}
	return text
}
