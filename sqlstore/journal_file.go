package sqlstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"hexad/engine"
)

// The configuration journal is one file: a line that says what it is, then
// records of a mark, the length of what follows (4 bytes, big endian), its
// SHA-256 and the record as JSON. Behind the last record there may be zeros:
// room that is reserved, so that a record is written without the file growing.
const (
	journalTitle  = "hexad configuration journal 1\n"
	journalMark   = "\xffhxj" // never within JSON
	journalHeader = len(journalMark) + 4 + sha256.Size
	journalMost   = 64 << 20 // bytes of one record
)

// JournalRecord is what was appended with one write: the whole of the
// configuration, or what changed since the record before.
//
// Before is the rolling digest: the SHA-256 of the record before, in hexadecimal; "" in the
// first of a file. Every record belongs to the generation and cluster it names.
type JournalRecord struct {
	Before     string            `json:"before,omitempty"`
	Generation engine.Generation `json:"generation"`
	Cluster    string            `json:"cluster"`
	Whole      *JournalWhole     `json:"whole,omitempty"`
	Steps      []JournalStep     `json:"steps,omitempty"`
	Batches    []batch           `json:"batches,omitempty"`
}

// JournalWhole is everything that cannot be made again from other sources at
// one revision: configuration items, members, policies.
type JournalWhole struct {
	Revision int64                   `json:"revision"`
	Primary  string                  `json:"primary"`
	Tables   map[string]JournalTable `json:"tables"`
}

// JournalTable holds the rows of a table: whole numbers and texts.
type JournalTable struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// JournalStep is one revision: the changes that led to it, who made them, where
// and when. Values of secrets are sealed, as in the database. Operation is "" where it is not known.
type JournalStep struct {
	Revision  int64           `json:"revision"`
	Operation string          `json:"operation,omitempty"`
	Peer      string          `json:"peer"`
	AtMS      int64           `json:"at_ms"`
	Actor     engine.Actor    `json:"actor"`
	Comment   string          `json:"comment,omitempty"`
	Changes   []engine.Change `json:"changes"`
}

// last is the revision that the record leads to; 0 for one of batches only.
func (r JournalRecord) last() int64 {
	if n := len(r.Steps); n > 0 {
		return r.Steps[n-1].Revision
	}
	if r.Whole != nil {
		return r.Whole.Revision
	}
	return 0
}

// frame is the record as the file holds it, and its digest.
func (r JournalRecord) frame() (framed []byte, digest string, err error) {
	var buf bytes.Buffer
	buf.WriteString(journalMark)
	buf.Write(make([]byte, 4+sha256.Size))
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, "", err
	}
	framed = buf.Bytes()
	text := framed[journalHeader:]
	if len(text) > journalMost {
		return nil, "", fmt.Errorf("a record of %d bytes", len(text))
	}
	binary.BigEndian.PutUint32(framed[len(journalMark):], uint32(len(text)))
	sum := sha256.Sum256(text)
	copy(framed[len(journalMark)+4:], sum[:])
	return framed, hex.EncodeToString(sum[:]), nil
}

// JournalText is what a journal holds: its sound records up to the end or to the
// first one that is not sound.
type JournalText struct {
	Records []JournalRecord
	Size    int64  // bytes up to the end of the last of them
	Digest  string // of the last of them
	// Torn: behind them stands the beginning of a write that never ended.
	Torn bool
	// Bad: behind them something is damaged that was whole once.
	Bad error
}

// ReadJournal reads the bytes of a journal. It never fails: what it cannot read
// is told by Torn or Bad.
func ReadJournal(file []byte) JournalText {
	var out JournalText
	if !bytes.HasPrefix(file, []byte(journalTitle)) {
		if len(bytes.Trim(file, "\x00")) > 0 && !bytes.HasPrefix([]byte(journalTitle), file) {
			out.Bad = errors.New("it is no configuration journal")
		}
		return out
	}
	out.Size = int64(len(journalTitle))
	for {
		rest := file[out.Size:]
		if len(bytes.TrimLeft(rest, "\x00")) == 0 {
			return out
		}
		record, size, digest, err := readRecordFrame(rest)
		if err == nil && record.Before != out.Digest {
			err = errors.New("a record does not follow the one before it")
		} else if err != nil && !soundAfter(rest) {
			out.Torn = true
			return out
		}
		if err == nil {
			err = record.follows(out.Records)
		}
		if err != nil {
			out.Bad = fmt.Errorf("byte %d: %w", out.Size, err)
			return out
		}
		out.Records, out.Digest = append(out.Records, record), digest
		out.Size += int64(size)
	}
}

// readRecordFrame reads the record at the beginning of b.
func readRecordFrame(b []byte) (r JournalRecord, size int, digest string, err error) {
	if len(b) < journalHeader || string(b[:len(journalMark)]) != journalMark {
		return r, 0, "", errors.New("no record begins here")
	}
	length := int64(binary.BigEndian.Uint32(b[len(journalMark):]))
	if length > journalMost || length > int64(len(b)-journalHeader) {
		return r, 0, "", errors.New("a record is longer than the file")
	}
	text := b[journalHeader : journalHeader+int(length)]
	sum := sha256.Sum256(text)
	if !bytes.Equal(sum[:], b[len(journalMark)+4:journalHeader]) {
		return r, 0, "", errors.New("the checksum of a record is wrong")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&r); err != nil {
		return r, 0, "", fmt.Errorf("a record cannot be read: %w", err)
	}
	return r, journalHeader + int(length), hex.EncodeToString(sum[:]), r.numbers()
}

// soundAfter reports whether a whole record stands somewhere behind the
// beginning of b: then what is before it was whole once, too.
func soundAfter(b []byte) bool {
	for at := 1; ; {
		i := bytes.Index(b[at:], []byte(journalMark))
		if i < 0 {
			return false
		}
		at += i
		if _, _, _, err := readRecordFrame(b[at:]); err == nil {
			return true
		}
		at++
	}
}

// follows refuses a record that does not lead on from those before it.
func (r JournalRecord) follows(before []JournalRecord) error {
	if r.Whole != nil {
		return nil
	}
	if len(before) == 0 {
		return errors.New("the first record is not the whole configuration")
	}
	last := before[len(before)-1]
	if last.Generation.ID != r.Generation.ID {
		return errors.New("a record is of another generation than the one before it")
	}
	from := lastOf(before)
	for _, s := range r.Steps {
		if s.Revision != from+1 {
			return fmt.Errorf("revision %d follows revision %d", s.Revision, from)
		}
		from++
	}
	return nil
}

// lastOf is the revision that records lead to.
func lastOf(records []JournalRecord) int64 {
	for i := len(records) - 1; i >= 0; i-- {
		if n := records[i].last(); n > 0 || records[i].Whole != nil {
			return n
		}
	}
	return 0
}

// numbers turns what JSON calls numbers into whole ones.
func (r *JournalRecord) numbers() error {
	convert := func(values []any) error {
		for i, v := range values {
			switch v := v.(type) {
			case nil, string:
			case json.Number:
				n, err := v.Int64()
				if err != nil {
					return fmt.Errorf("%s is no whole number", v)
				}
				values[i] = n
			default:
				return errors.New("a value is no text and no number")
			}
		}
		return nil
	}
	if r.Whole != nil {
		for name, t := range r.Whole.Tables {
			for _, row := range t.Rows {
				if len(row) != len(t.Columns) {
					return fmt.Errorf("a row of %s has %d values of %d", name, len(row), len(t.Columns))
				}
				if err := convert(row); err != nil {
					return err
				}
			}
		}
	}
	for _, b := range r.Batches {
		for _, st := range b.Statements {
			if err := convert(st.Args); err != nil {
				return err
			}
		}
	}
	return nil
}
