package link

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"time"

	"hexad/engine"
)

// maxJoin is the most bytes of one message of the join exchange.
const maxJoin = 256 << 10

// JoinSide is what one side of a first contact says of itself and what the
// link knows of it.
//
// SavedAge is how long ago its clustering page was saved, by its own clock's
// differences, so that the two clocks need not agree.
type JoinSide struct {
	Node     string            `json:"node"`
	Release  string            `json:"release"`
	Role     engine.Role       `json:"role"`
	Page     engine.Clustering `json:"page"`
	SavedAge time.Duration     `json:"saved_age_ns"`
	Facts    json.RawMessage   `json:"facts,omitempty"` // engine.Facts

	// The rest is filled in by the receiving link and never read from the wire.
	Address     string           `json:"-"` // the receiver's peer list entry for it
	RemoteIP    string           `json:"-"`
	Fingerprint string           `json:"-"` // of the key that it proved to hold
	Certificate engine.CertFacts `json:"-"`
	Token       bool             `json:"-"` // a valid join token authenticates it
	Pinned      bool             `json:"-"` // its key was pinned before
}

// Grant is what makes a joiner a member. It leaves the primary only after both
// sides have pinned each other's key.
type Grant struct {
	Cluster    string            `json:"cluster"`
	Secret     []byte            `json:"secret"`
	Generation engine.Generation `json:"generation"`
	Members    []engine.Member   `json:"members"`
}

// JoinHandler decides on the primary who may join.
type JoinHandler interface {
	// Decide judges the asker and returns this peer's own side. An
	// *engine.Error, with its findings, reaches the asker as it is.
	Decide(ctx context.Context, asker JoinSide) (JoinSide, error)
	// Admit pins the asker's key and returns the grant. It is called after the
	// asker said that it has pinned this peer's key, and must be safe to repeat.
	Admit(ctx context.Context, asker JoinSide) (Grant, error)
}

// JoinRequest asks the primary to be let into its cluster.
//
// Decide judges the primary's side; Pin stores its key. Both are called before
// the primary is told to go on. Token may be "".
type JoinRequest struct {
	Address string // the primary's Peer N field
	Port    int    // 0: 4371
	Token   string
	Side    JoinSide
	Decide  func(ctx context.Context, primary JoinSide) error
	Pin     func(ctx context.Context, primary JoinSide) error
}

// The messages, in order: ask, answer, pinned, granted.
type (
	joinAsk struct {
		Version int      `json:"version"`
		Side    JoinSide `json:"side"`
	}
	joinAsked struct {
		Ask   []byte `json:"ask"` // the bytes that Proof covers
		Proof []byte `json:"proof,omitempty"`
	}
	joinAnswer struct {
		Side  JoinSide   `json:"side"`
		Seen  string     `json:"seen"` // fingerprint of the key that the asker showed
		Error *wireError `json:"error,omitempty"`
	}
	joinPinned struct {
		Pinned string     `json:"pinned"` // fingerprint of the key that the asker pinned
		Error  *wireError `json:"error,omitempty"`
	}
	joinGranted struct {
		Grant *Grant     `json:"grant,omitempty"`
		Error *wireError `json:"error,omitempty"`
	}
)

// wireError is an engine.Error without its cause.
type wireError struct {
	Code     engine.Code      `json:"code"`
	Message  string           `json:"message"`
	Remedy   string           `json:"remedy,omitempty"`
	Item     string           `json:"item,omitempty"`
	Findings []engine.Finding `json:"findings,omitempty"`
}

func toWire(err error) *wireError {
	var e *engine.Error
	if !errors.As(err, &e) {
		return &wireError{Code: engine.Internal, Message: "the peer could not decide"}
	}
	return &wireError{e.Code, e.Message, e.Remedy, e.Item, e.Findings}
}

func (w *wireError) refusal() *refused {
	return &refused{JoinRefused, &engine.Error{Code: w.Code, Message: w.Message, Remedy: w.Remedy, Item: w.Item, Findings: w.Findings}}
}

// Join makes first contact with the primary and returns the grant.
//
// Errors: those of RefusalOf; what the primary decided comes as the
// *engine.Error that it made. Joining again after any failure is safe.
func (l *Link) Join(ctx context.Context, req JoinRequest) (Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout+2*JoinTimeout)
	defer cancel()
	contact := Contact{Address: req.Address, Purpose: PurposeJoin, Direction: Outbound}
	grant, err := l.join(ctx, req, &contact)
	l.report(contact, err)
	return grant, err
}

func (l *Link) join(ctx context.Context, req JoinRequest, contact *Contact) (Grant, error) {
	peer := PeerAddress{Address: req.Address, Ports: Ports{Peer: req.Port}}
	var token *heldToken
	if req.Token != "" {
		t, err := parseToken(req.Token)
		if err != nil {
			return Grant{}, err
		}
		token = &t
	}
	for _, p := range l.members() {
		if strings.EqualFold(p.Address, req.Address) && !p.Removed {
			peer.Node, peer.Fingerprint = p.Node, p.Fingerprint
		}
	}
	hctx, done := context.WithTimeout(ctx, HandshakeTimeout)
	defer done()
	tc, raw, s, err := l.connect(hctx, peer, PurposeJoin, contact)
	if err != nil {
		return Grant{}, err
	}
	defer tc.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	if deadline, ok := ctx.Deadline(); ok {
		raw.SetDeadline(deadline)
	}
	if token != nil && token.primary != s.fingerprint[:2*tokenHalf] {
		return Grant{}, refusef(KeyChanged, "the join token was made by another system than the one at %s, which shows %s", req.Address, s.fingerprint)
	}
	grant, err := l.ask(ctx, tc, s, req, token, contact)
	if err != nil && engine.CodeOf(err) == engine.Internal && RefusalOf(err) == "" {
		err = ioRefusal("join", err)
	}
	return grant, err
}

// ask walks the joiner's side of the exchange.
func (l *Link) ask(ctx context.Context, tc *tls.Conn, s *session, req JoinRequest, token *heldToken, contact *Contact) (Grant, error) {
	body, err := json.Marshal(joinAsk{Version, req.Side})
	if err != nil {
		return Grant{}, err
	}
	mine := l.credentials.Load().Fingerprint()
	asked := joinAsked{Ask: body}
	if token != nil {
		message, err := proofMessage(tc.ConnectionState(), mine, body)
		if err != nil {
			return Grant{}, err
		}
		asked.Proof = prove(token.secret, message)
	}
	if err := writeFrame(tc, asked, maxJoin); err != nil {
		return Grant{}, err
	}
	var answer joinAnswer
	if err := readFrame(tc, &answer, maxJoin); err != nil {
		return Grant{}, err
	}
	if answer.Error != nil {
		return Grant{}, answer.Error.refusal()
	}
	side := s.side(answer.Side, token != nil)
	contact.Node = side.Node
	if err := l.judgePrimary(ctx, req, side, answer.Seen, mine); err != nil {
		_ = writeFrame(tc, joinPinned{Error: toWire(err)}, maxJoin) // a courtesy: this side's error is the one that counts
		return Grant{}, err
	}
	if err := writeFrame(tc, joinPinned{Pinned: side.Fingerprint}, maxJoin); err != nil {
		return Grant{}, err
	}
	var granted joinGranted
	if err := readFrame(tc, &granted, maxJoin); err != nil {
		return Grant{}, err
	}
	if granted.Error != nil {
		return Grant{}, granted.Error.refusal()
	}
	if granted.Grant == nil || len(granted.Grant.Secret) == 0 || granted.Grant.Cluster == "" {
		return Grant{}, refusef(Malformed, "the grant of %s is empty", req.Address)
	}
	return *granted.Grant, nil
}

// judgePrimary decides whether to pin the primary, and pins it.
func (l *Link) judgePrimary(ctx context.Context, req JoinRequest, side JoinSide, seen, mine string) error {
	if seen != mine {
		return refusef(KeyChanged, "%s sees the key %q here instead of %s: something stands between the peers", req.Address, seen, mine)
	}
	if side.Node == "" || side.Node == req.Side.Node {
		return refusef(NodeMismatch, "%s says that it is node %q", req.Address, side.Node)
	}
	if err := req.Decide(ctx, side); err != nil {
		return err
	}
	return req.Pin(ctx, side)
}

// side completes what the other side said of itself with what is known of it.
func (s *session) side(said JoinSide, token bool) JoinSide {
	said.Address, said.RemoteIP, said.Fingerprint = s.listed, s.remoteIP, s.fingerprint
	said.Certificate, said.Token, said.Pinned = s.certificate, token, len(s.peers) > 0
	return said
}

// proofMessage is what a token's proof covers: this session, the joiner's key
// and all that the joiner says.
func proofMessage(cs tls.ConnectionState, fingerprint string, ask []byte) ([]byte, error) {
	key, err := exported(cs, "hexad join")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(ask)
	return append(append(key, fingerprint...), sum[:]...), nil
}

// answerJoin walks the primary's side of the exchange on an accepted session.
//
// release gives back the place among the unauthenticated: it is kept until the
// asker has said what it wants.
func (l *Link) answerJoin(ctx context.Context, tc *tls.Conn, s *session, contact Contact, release func()) {
	defer tc.Close()
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout+2*JoinTimeout)
	defer cancel()
	tc.SetDeadline(time.Now().Add(HandshakeTimeout))
	err := l.hearJoin(ctx, tc, s, &contact, release)
	if err != nil && RefusalOf(err) == "" {
		err = ioRefusal("join", err)
	}
	l.report(contact, err)
}

func (l *Link) hearJoin(ctx context.Context, tc *tls.Conn, s *session, contact *Contact, release func()) error {
	var asked joinAsked
	if err := readFrame(tc, &asked, maxJoin); err != nil {
		return err
	}
	select {
	case l.joins <- struct{}{}:
		defer func() { <-l.joins }()
		release()
	default:
		return refuseJoin(tc, engine.Errorf(engine.Exhausted, "%d systems are joining at this moment", maxJoins).With("", "try again"))
	}
	var ask joinAsk
	if err := json.Unmarshal(asked.Ask, &ask); err != nil {
		return refusef(Malformed, "join: %w", err)
	}
	contact.Node = ask.Side.Node
	tc.SetDeadline(time.Now().Add(2*JoinTimeout + HandshakeTimeout))
	token, done, err := l.redeem(tc, s, asked)
	if err != nil {
		return refuseJoin(tc, err)
	}
	joined := false
	defer func() { done(joined) }()
	asker := s.side(ask.Side, token)
	mine, err := l.decide(ctx, s, ask, asker)
	if err != nil {
		return refuseJoin(tc, err)
	}
	if err := l.admit(ctx, tc, s, asker, mine); err != nil {
		return err
	}
	joined = true
	return nil
}

// redeem checks the proof of a join token, if there is one.
func (l *Link) redeem(tc *tls.Conn, s *session, asked joinAsked) (token bool, done func(bool), err error) {
	if len(asked.Proof) == 0 {
		return false, func(bool) {}, nil
	}
	message, err := proofMessage(tc.ConnectionState(), s.fingerprint, asked.Ask)
	if err != nil {
		return false, nil, err
	}
	done, ok := l.tokens.Redeem(asked.Proof, message)
	if !ok {
		return false, nil, engine.Errorf(engine.Denied, "the join token is not valid: it was used, has expired or was made elsewhere").
			With("Join token", "make a new join token on the primary")
	}
	return true, done, nil
}

func (l *Link) decide(ctx context.Context, s *session, ask joinAsk, asker JoinSide) (JoinSide, error) {
	ctx, cancel := context.WithTimeout(ctx, JoinTimeout)
	defer cancel()
	switch {
	case l.cfg.Joins == nil:
		return JoinSide{}, engine.Errorf(engine.Unavailable, "nobody can join here now")
	case ask.Version != Version:
		return JoinSide{}, engine.Errorf(engine.Unavailable, "the join exchange has version %d here and %d there", Version, ask.Version)
	case ask.Side.Node == "" || ask.Side.Node == s.self.Node:
		return JoinSide{}, engine.Errorf(engine.Conflict, "node id %q cannot join", ask.Side.Node)
	}
	for _, p := range l.members() {
		if p.Node == ask.Side.Node && !p.Removed && p.Fingerprint != "" && !s.key().isOf(p, s.self.Trust) {
			return JoinSide{}, refusef(KeyChanged, "node %s was pinned with %s and shows %s", p.Node, p.Fingerprint, s.fingerprint)
		}
	}
	return l.cfg.Joins.Decide(ctx, asker)
}

// admit releases the grant, after the asker said that it pinned this peer.
func (l *Link) admit(ctx context.Context, tc *tls.Conn, s *session, asker, mine JoinSide) error {
	if err := writeFrame(tc, joinAnswer{Side: mine, Seen: s.fingerprint}, maxJoin); err != nil {
		return err
	}
	var pinned joinPinned
	if err := readFrame(tc, &pinned, maxJoin); err != nil {
		return err
	}
	if pinned.Error != nil {
		return pinned.Error.refusal()
	}
	if own := l.credentials.Load().Fingerprint(); pinned.Pinned != own {
		return refuseGrant(tc, refusef(KeyChanged, "the joiner pinned %q instead of %s", pinned.Pinned, own))
	}
	ctx, cancel := context.WithTimeout(ctx, JoinTimeout)
	defer cancel()
	grant, err := l.cfg.Joins.Admit(ctx, asker)
	if err != nil {
		return refuseGrant(tc, err)
	}
	return writeFrame(tc, joinGranted{Grant: &grant}, maxJoin)
}

// refuseJoin tells the asker why, and returns err as the refusal that it is.
func refuseJoin(tc net.Conn, err error) error {
	return told(err, writeFrame(tc, joinAnswer{Error: toWire(err)}, maxJoin))
}

func refuseGrant(tc net.Conn, err error) error {
	return told(err, writeFrame(tc, joinGranted{Error: toWire(err)}, maxJoin))
}

// told makes a refusal of err; unsent is why the asker could not be told, and
// matters less.
func told(err, unsent error) error {
	var r *refused
	if errors.As(err, &r) {
		return r
	}
	var e *engine.Error
	if !errors.As(err, &e) {
		e = &engine.Error{Code: engine.Internal, Message: "the join could not be decided", Err: errors.Join(err, unsent)}
	}
	return &refused{JoinRefused, e}
}
