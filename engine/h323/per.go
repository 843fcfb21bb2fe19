package h323

import (
	"encoding/binary"
	"errors"
)

// errShort and errForm are all that the decoder says of a bad packet: what
// arrives is not worth more, and nothing of it may reach the log.
var (
	errShort = errors.New("the message ends too early")
	errForm  = errors.New("the message is malformed")
)

// writer writes basic aligned PER. Source: X.691.
type writer struct {
	buf  []byte
	free uint // unused bits of the last octet
}

// bits writes the n lowest bits of v, n <= 32.
func (w *writer) bits(v uint32, n uint) {
	for n > 0 {
		if w.free == 0 {
			w.buf = append(w.buf, 0)
			w.free = 8
		}
		take := min(n, w.free)
		part := byte(v>>(n-take)) & (1<<take - 1)
		w.buf[len(w.buf)-1] |= part << (w.free - take)
		w.free -= take
		n -= take
	}
}

func (w *writer) bool(b bool) {
	if b {
		w.bits(1, 1)
	} else {
		w.bits(0, 1)
	}
}

// align moves to the next octet.
func (w *writer) align() { w.free = 0 }

func (w *writer) octets(b []byte) {
	w.align()
	w.buf = append(w.buf, b...)
}

// uint16 is an INTEGER whose range has 257 to 65536 values.
func (w *writer) uint16(v uint16) { w.octets(binary.BigEndian.AppendUint16(nil, v)) }

// length is an unconstrained length; below 16384, since a message is one datagram.
func (w *writer) length(n int) {
	w.align()
	if n < 128 {
		w.buf = append(w.buf, byte(n))
		return
	}
	w.buf = append(w.buf, byte(n>>8)|0x80, byte(n))
}

// small is a normally small number below 64.
func (w *writer) small(n uint32) { w.bits(n, 7) }

// open is an open type: the octets of a complete encoding.
func (w *writer) open(b []byte) {
	if len(b) == 0 {
		b = []byte{0} // X.691 10.1.3
	}
	w.length(len(b))
	w.octets(b)
}

// reader reads basic aligned PER; after the first error it returns zeros.
type reader struct {
	buf []byte
	pos uint // bits
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// bits reads n <= 32 bits.
func (r *reader) bits(n uint) uint32 {
	if r.err != nil || r.pos+n > uint(len(r.buf))*8 {
		r.fail(errShort)
		return 0
	}
	var v uint32
	for n > 0 {
		in := 8 - r.pos%8
		take := min(n, in)
		part := uint32(r.buf[r.pos/8]) >> (in - take) & (1<<take - 1)
		v = v<<take | part
		r.pos += take
		n -= take
	}
	return v
}

func (r *reader) bool() bool { return r.bits(1) == 1 }

func (r *reader) align() { r.pos = (r.pos + 7) &^ 7 }

// octets returns n octets of the buffer itself.
func (r *reader) octets(n int) []byte {
	r.align()
	start := int(r.pos / 8)
	if r.err != nil || n < 0 || n > len(r.buf)-start {
		r.fail(errShort)
		return nil
	}
	r.pos += uint(n) * 8
	return r.buf[start : start+n]
}

func (r *reader) uint16() uint16 {
	b := r.octets(2)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// length reads an unconstrained length. Fragments (16384 and more) do not fit a datagram.
func (r *reader) length() int {
	b := r.octets(1)
	if b == nil {
		return 0
	}
	if b[0] < 0x80 {
		return int(b[0])
	}
	if b[0] >= 0xc0 {
		r.fail(errForm)
		return 0
	}
	low := r.octets(1)
	if low == nil {
		return 0
	}
	return int(b[0]&0x3f)<<8 | int(low[0])
}

// small reads a normally small number; larger ones than 63 have no use here.
func (r *reader) small() int {
	if r.bool() {
		r.fail(errForm)
		return 0
	}
	return int(r.bits(6))
}

func (r *reader) open() []byte { return r.octets(r.length()) }

// additions skips the extension additions of a SEQUENCE, but hands each to
// take when that is given.
func (r *reader) additions(take func(index int, value []byte)) {
	n := r.small() + 1
	present := make([]bool, n)
	for i := range present {
		present[i] = r.bool()
	}
	for i := 0; i < n && r.err == nil; i++ {
		if !present[i] {
			continue
		}
		value := r.open()
		if take != nil && r.err == nil {
			take(i, value)
		}
	}
}
