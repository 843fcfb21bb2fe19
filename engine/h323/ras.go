package h323

import (
	"encoding/binary"
	"net/netip"
	"unicode/utf16"

	"hexad/engine"
)

// Type is a kind of RAS message, in the short form of the log.
type Type string

// The messages that peers exchange.
const (
	LRQ Type = "LRQ" // LocationRequest
	LCF Type = "LCF" // LocationConfirm
	LRJ Type = "LRJ" // LocationReject
	SCI Type = "SCI" // ServiceControlIndication
	SCR Type = "SCR" // ServiceControlResponse
)

// Message is one RAS message, as far as peers use it; what else it may hold is
// skipped when read.
//
// Seq is 1 to 65535. Aliases are what an LRQ looks for; Signal and RAS the
// addresses of an LCF; ReplyTo what an LRQ asks to be answered at, which is
// not trusted: answers go to where the packet came from. HopCount is 1 to 255,
// 0 for none.
//
// Source: H.225.0 section 7.
type Message struct {
	Type     Type
	Seq      uint16
	Aliases  []Alias
	ReplyTo  netip.AddrPort
	HopCount uint8
	Signal   netip.AddrPort
	RAS      netip.AddrPort
	Reason   Reason
}

// AliasKind is a form of alias.
type AliasKind string

// The forms that peers ask for; any other is read as OtherAlias without a value.
const (
	DialledDigits AliasKind = "E164"
	H323ID        AliasKind = "H323Id"
	URLID         AliasKind = "URL"
	EmailID       AliasKind = "Email"
	OtherAlias    AliasKind = "other"
)

// Alias is one alias address.
type Alias struct {
	Kind  AliasKind
	Value string
}

// Reason is why a location was rejected, by its index; reasons of later
// editions count on from 4.
type Reason int

// The reasons that hexad gives.
const (
	NotRegistered   Reason = 0
	RequestDenied   Reason = 2
	UndefinedReason Reason = 3
)

// Limits of a message: it is one datagram.
const (
	maxMessage = 1500 // octets
	maxAliases = 32
)

// The places of the messages in RasMessage: 25 root alternatives, then additions.
var (
	rootPlaces  = map[Type]uint32{LRQ: 18, LCF: 19, LRJ: 20}
	addedPlaces = map[Type]uint32{SCI: 5, SCR: 6}
)

// digits is the alphabet of dialledDigits in the order of its codes. Source:
// H.225.0; X.691 27.5 (sorted by character).
const digits = "#*,0123456789"

// Marshal encodes m.
//
// Errors: Invalid (a value does not fit).
func (m Message) Marshal() ([]byte, error) {
	if m.Seq == 0 {
		return nil, engine.Errorf(engine.Invalid, "a RAS sequence number is 1 to 65535")
	}
	var w writer
	if place, ok := addedPlaces[m.Type]; ok {
		var body writer
		m.writeService(&body)
		w.bits(1, 1)
		w.small(place)
		w.open(body.buf)
		return w.buf, nil
	}
	place, ok := rootPlaces[m.Type]
	if !ok {
		return nil, engine.Errorf(engine.Invalid, "RAS message %q is not known", m.Type)
	}
	w.bits(0, 1)
	w.bits(place, 5)
	var err error
	switch m.Type {
	case LRQ:
		err = m.writeRequest(&w)
	case LCF:
		w.bits(0, 2) // no additions, no nonStandardData
		w.uint16(m.Seq - 1)
		if err = writeAddress(&w, m.Signal); err == nil {
			err = writeAddress(&w, m.RAS)
		}
	case LRJ:
		w.bits(0, 2)
		w.uint16(m.Seq - 1)
		err = writeReason(&w, m.Reason)
	}
	if err == nil && len(w.buf) > maxMessage {
		err = engine.Errorf(engine.Invalid, "a RAS message of %d octets does not fit a datagram", len(w.buf))
	}
	return w.buf, err
}

// writeRequest writes LocationRequest with its additions canMapAlias (1,
// mandatory since version 2) and hopCount (10).
func (m Message) writeRequest(w *writer) error {
	if len(m.Aliases) == 0 || len(m.Aliases) > maxAliases {
		return engine.Errorf(engine.Invalid, "an LRQ asks for 1 to %d aliases, not %d", maxAliases, len(m.Aliases))
	}
	w.bits(0b100, 3) // additions; no endpointIdentifier, no nonStandardData
	w.uint16(m.Seq - 1)
	w.length(len(m.Aliases))
	for _, a := range m.Aliases {
		if err := writeAlias(w, a); err != nil {
			return err
		}
	}
	if err := writeAddress(w, m.ReplyTo); err != nil {
		return err
	}
	const additions, canMapAlias, hopCount, canMapSrcAlias = 17, 1, 10, 15
	w.small(additions - 1)
	for i := range additions {
		w.bool(i == canMapAlias || i == canMapSrcAlias || i == hopCount && m.HopCount > 0)
	}
	w.open([]byte{0}) // canMapAlias FALSE
	if m.HopCount > 0 {
		w.open([]byte{m.HopCount - 1})
	}
	w.open([]byte{0}) // canMapSrcAlias FALSE
	return nil
}

// writeService writes SCI (one session, opened) or SCR (started).
func (m Message) writeService(w *writer) {
	w.bool(false) // no additions
	if m.Type == SCI {
		w.bits(0, 8) // none of the optional parts
		w.uint16(m.Seq - 1)
		w.length(1)
		w.bits(0, 2) // session: no additions, no contents
		w.octets([]byte{0})
		w.bits(0, 1) // reason: of the root
		w.bits(1, 2) // refresh
		return
	}
	w.bits(0b1000000, 7) // result only
	w.uint16(m.Seq - 1)
	w.bits(0, 1)
	w.bits(0, 3) // started
}

func writeAlias(w *writer, a Alias) error {
	switch a.Kind {
	case DialledDigits:
		if len(a.Value) < 1 || len(a.Value) > 128 {
			return engine.Errorf(engine.Invalid, "a number has 1 to 128 digits")
		}
		w.bits(0, 2) // root, dialledDigits
		w.bits(uint32(len(a.Value)-1), 7)
		w.align()
		return writeDigits(w, a.Value)
	case H323ID:
		units := utf16.Encode([]rune(a.Value))
		if len(units) < 1 || len(units) > 256 {
			return engine.Errorf(engine.Invalid, "an H.323 ID has 1 to 256 characters")
		}
		w.bits(1, 2) // root, h323-ID
		w.octets([]byte{byte(len(units) - 1)})
		for _, u := range units {
			w.uint16(u)
		}
		return nil
	case URLID, EmailID:
		if len(a.Value) < 1 || len(a.Value) > 512 {
			return engine.Errorf(engine.Invalid, "an address has 1 to 512 characters")
		}
		place := map[AliasKind]uint32{URLID: 0, EmailID: 2}[a.Kind]
		var body writer
		body.uint16(uint16(len(a.Value) - 1))
		body.octets([]byte(a.Value))
		w.bits(1, 1)
		w.small(place)
		w.open(body.buf)
		return nil
	}
	return engine.Errorf(engine.Invalid, "an alias of the form %q cannot be sent", a.Kind)
}

func writeDigits(w *writer, s string) error {
	for i := range len(s) {
		at := uint32(0)
		for int(at) < len(digits) && digits[at] != s[i] {
			at++
		}
		if int(at) == len(digits) {
			return engine.Errorf(engine.Invalid, "%q is not a digit", s[i])
		}
		w.bits(at, 4)
	}
	return nil
}

// writeAddress writes a TransportAddress: ipAddress (0) or ip6Address (3) of 7.
func writeAddress(w *writer, a netip.AddrPort) error {
	ip := a.Addr().Unmap()
	switch {
	case ip.Is4():
		w.bits(0, 1)
		w.bits(0, 3)
	case ip.Is6():
		w.bits(0, 1)
		w.bits(3, 3)
		w.bits(0, 1) // no additions
	default:
		return engine.Errorf(engine.Invalid, "a RAS message needs an IP address")
	}
	w.octets(ip.AsSlice())
	w.uint16(a.Port())
	return nil
}

func writeReason(w *writer, r Reason) error {
	if r < 0 || r > UndefinedReason {
		return engine.Errorf(engine.Invalid, "reason %d of an LRJ cannot be sent", r)
	}
	w.bits(0, 1)
	w.bits(uint32(r), 2)
	return nil
}

// Parse reads one RAS message of the types above.
//
// Errors: Invalid, for malformed messages and for those of other types. It
// never reads beyond packet and allocates no more than a few times its size.
func Parse(packet []byte) (Message, error) {
	if len(packet) > maxMessage {
		return Message{}, engine.Errorf(engine.Invalid, "a RAS message of %d octets", len(packet))
	}
	r := &reader{buf: packet}
	var m Message
	if r.bool() {
		place := uint32(r.small())
		m.Type = typeAt(addedPlaces, place)
		r = &reader{buf: r.open(), err: r.err}
	} else {
		m.Type = typeAt(rootPlaces, r.bits(5))
	}
	switch m.Type {
	case LRQ:
		m.readRequest(r)
	case LCF:
		m.readConfirm(r)
	case LRJ:
		m.readReject(r)
	case SCI, SCR:
		m.readService(r)
	default:
		r.fail(errForm)
	}
	if m.Seq == 0 {
		r.fail(errForm)
	}
	if r.err != nil {
		return Message{}, &engine.Error{Code: engine.Invalid, Message: "not a RAS message of a peer: " + r.err.Error(), Err: r.err}
	}
	return m, nil
}

func typeAt(places map[Type]uint32, place uint32) Type {
	for t, p := range places {
		if p == place {
			return t
		}
	}
	return ""
}

// seq reads a RequestSeqNum; 65535 in the packet would be 65536, which is none.
func (r *reader) seq() uint16 {
	v := r.uint16()
	if r.err != nil || v == 0xffff {
		r.fail(errForm)
		return 0
	}
	return v + 1
}

func (m *Message) readRequest(r *reader) {
	more, identifier, private := r.bool(), r.bool(), r.bool()
	m.Seq = r.seq()
	if identifier {
		units := int(r.bits(7)) + 1
		r.octets(2 * units)
	}
	m.readAliases(r)
	if private {
		skipNonStandard(r)
	}
	m.ReplyTo = readAddress(r)
	if more {
		r.additions(func(index int, value []byte) {
			if index == 10 && len(value) == 1 && value[0] < 255 {
				m.HopCount = value[0] + 1
			}
		})
	}
}

func (m *Message) readConfirm(r *reader) {
	r.bool() // additions follow what is read here
	private := r.bool()
	m.Seq = r.seq()
	m.Signal = readAddress(r)
	m.RAS = readAddress(r)
	if private {
		skipNonStandard(r)
	}
}

func (m *Message) readReject(r *reader) {
	r.bits(2)
	m.Seq = r.seq()
	if !r.bool() {
		m.Reason = Reason(r.bits(2))
		return
	}
	m.Reason = UndefinedReason + 1 + Reason(r.small())
	r.open()
}

// readService reads the number alone: the rest cannot be skipped piece by piece
// (it holds security tokens), but nothing behind it is needed.
func (m *Message) readService(r *reader) {
	optional := uint(8)
	if m.Type == SCR {
		optional = 7
	}
	r.bits(1 + optional)
	m.Seq = r.seq()
}

func (m *Message) readAliases(r *reader) {
	n := r.length()
	if n > maxAliases {
		r.fail(errForm)
	}
	for i := 0; i < n && r.err == nil; i++ {
		m.Aliases = append(m.Aliases, readAlias(r))
	}
}

func readAlias(r *reader) Alias {
	if r.bool() {
		return readAddedAlias(r)
	}
	if !r.bool() { // dialledDigits
		n := int(r.bits(7)) + 1
		r.align()
		text := make([]byte, 0, n)
		for i := 0; i < n && r.err == nil; i++ {
			at := int(r.bits(4))
			if at >= len(digits) {
				r.fail(errForm)
				break
			}
			text = append(text, digits[at])
		}
		return Alias{DialledDigits, string(text)}
	}
	n := r.octets(1) // h323-ID
	if n == nil {
		return Alias{}
	}
	raw := r.octets(2 * (int(n[0]) + 1))
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(raw[2*i:])
	}
	return Alias{H323ID, string(utf16.Decode(units))}
}

// readAddedAlias reads url-ID (0) and email-ID (2), and passes over the others.
func readAddedAlias(r *reader) Alias {
	place := r.small()
	body := &reader{buf: r.open(), err: r.err}
	if r.err != nil || place != 0 && place != 2 {
		return Alias{Kind: OtherAlias}
	}
	n := int(body.uint16()) + 1
	if n > 512 {
		body.fail(errForm)
	}
	text := string(body.octets(n))
	if body.err != nil {
		r.fail(body.err)
		return Alias{}
	}
	if place == 0 {
		return Alias{URLID, text}
	}
	return Alias{EmailID, text}
}

// readAddress reads ipAddress and ip6Address; other networks are not spoken.
func readAddress(r *reader) netip.AddrPort {
	if r.bool() {
		r.small()
		r.open()
		return netip.AddrPort{}
	}
	size := 0
	more := false
	switch r.bits(3) {
	case 0:
		size = 4
	case 3:
		size = 16
		more = r.bool()
	default:
		r.fail(errForm)
		return netip.AddrPort{}
	}
	ip, ok := netip.AddrFromSlice(r.octets(size))
	if !ok {
		r.fail(errShort)
	}
	port := r.uint16()
	if more {
		r.additions(nil)
	}
	return netip.AddrPortFrom(ip.Unmap(), port)
}

// skipNonStandard passes over a NonStandardParameter: an identifier (object, or
// country, extension and maker) and data.
func skipNonStandard(r *reader) {
	r.bool() // no additions are defined
	switch {
	case r.bool(): // identifier of a later edition
		r.small()
		r.open()
	case !r.bool(): // object
		r.open()
	default: // h221NonStandard
		more := r.bool()
		r.octets(1)
		r.octets(1)
		r.uint16()
		if more {
			r.additions(nil)
		}
	}
	r.open()
}
