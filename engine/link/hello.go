package link

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"hexad/engine"
)

// Version is the version of the hello and of the join exchange.
const Version = 1

// MaxHello is the most bytes that a hello may have with its frame's contents.
const MaxHello = 16 << 10

// exporterLabel binds hellos to their TLS session (RFC 8446 section 7.5).
const exporterLabel = "hexad hello"

// Purpose is what a connection is for.
type Purpose string

// The purposes: the peer link, the join exchange and recovery on 4371, Raft on
// 4372. Recovery is how members of unequal generations compare what they have:
// the same proofs, reading only, and nothing of it gets near Raft.
const (
	PurposePeer    Purpose = "peer"
	PurposeJoin    Purpose = "join"
	PurposeRecover Purpose = "recover"
	PurposeRaft    Purpose = "raft"
)

func (p Purpose) alpn() string { return "hexad-" + string(p) + "/1" }

// Hello is what each side says of itself before anything else.
//
// Seen is the IP address that the sender sees the receiver come from, so that
// a peer learns of address translation. Digest identifies the clustering page
// in effect, when the sender tells it. Refusal is set when the sender will not
// go on; Message then tells the receiver's administrator why. Primary is the
// node that the sender takes for the configuration primary.
type Hello struct {
	Version    int               `json:"version"`
	Cluster    string            `json:"cluster"`
	Generation engine.Generation `json:"generation"`
	Node       string            `json:"node"`
	Primary    string            `json:"primary,omitempty"`
	Release    string            `json:"release"`
	Applied    uint64            `json:"applied_index"`
	Purpose    Purpose           `json:"purpose"`
	Digest     string            `json:"page,omitempty"`
	Seen       string            `json:"seen,omitempty"`
	Refusal    Refusal           `json:"refusal,omitempty"`
	Message    string            `json:"message,omitempty"`
}

// signed is a hello on the wire. Hello stays the bytes that were sent, since
// those are what the MAC covers.
type signed struct {
	Hello []byte `json:"hello"`
	MAC   []byte `json:"mac"`
}

// direction keeps a hello from being sent back at its sender.
type direction string

const (
	fromDialer   direction = "dialer"
	fromAccepter direction = "accepter"
	verdict      direction = "verdict" // the dialer's last word
)

// mac authenticates a hello with the cluster secret for one session and one
// direction only. A length stands before the direction, so that no two inputs
// run together.
func mac(secret, exported []byte, d direction, hello []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(exported)
	m.Write([]byte{byte(len(d))})
	m.Write([]byte(d))
	m.Write(hello)
	return m.Sum(nil)
}

func exported(cs tls.ConnectionState, label string) ([]byte, error) {
	return cs.ExportKeyingMaterial(label, nil, sha256.Size)
}

func sendHello(w io.Writer, h Hello, secret, exported []byte, d direction) error {
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return writeFrame(w, signed{body, mac(secret, exported, d, body)}, MaxHello)
}

// ReadHello reads one hello as it is on the wire. It returns the hello, the
// bytes that its MAC covers and the MAC; nothing of it is verified.
//
// Errors: Invalid for anything that is not a hello; the reader's own.
func ReadHello(r io.Reader) (h Hello, body, sum []byte, err error) {
	var s signed
	if err := readFrame(r, &s, MaxHello); err != nil {
		return Hello{}, nil, nil, err
	}
	if err := json.Unmarshal(s.Hello, &h); err != nil {
		return Hello{}, nil, nil, refusef(Malformed, "hello: %w", err)
	}
	return h, s.Hello, s.MAC, nil
}

// receiveHello reads a hello and reports whether its sender holds secret.
func receiveHello(r io.Reader, secret, exported []byte, d direction) (h Hello, authentic bool, err error) {
	h, body, sum, err := ReadHello(r)
	if err != nil {
		return Hello{}, false, err
	}
	return h, len(secret) > 0 && hmac.Equal(sum, mac(secret, exported, d, body)), nil
}

// writeFrame sends v as JSON behind its length, a big-endian uint32.
func writeFrame(w io.Writer, v any, most int) error {
	var b bytes.Buffer
	b.Write(make([]byte, 4))
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return err
	}
	n := b.Len() - 4
	if n > most {
		return engine.Errorf(engine.Invalid, "message of %d bytes is longer than %d", n, most)
	}
	binary.BigEndian.PutUint32(b.Bytes(), uint32(n))
	_, err := w.Write(b.Bytes())
	return err
}

// readFrame reads what writeFrame wrote. The length is judged before a byte of
// it is allocated.
func readFrame(r io.Reader, v any, most int) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > uint32(most) {
		return refusef(Malformed, "a length of %d is outside 1 to %d", n, most)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return fmt.Errorf("message cut short: %w", err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return refusef(Malformed, "%w", err)
	}
	return nil
}
