package sqlstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Layout of a bbolt file: two meta pages at its beginning, each with a header
// of 16 bytes before the fields.
const (
	boltMagic  = 0xED0CDAED
	boltHeader = 16
	boltMeta   = 64 // bytes of the fields
)

// wholeLog reports a Raft log that is shorter than it says itself: reading it
// would be a fault of memory later, in a goroutine that nobody can recover.
func wholeLog(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 { // bbolt would begin a new one
		return fmt.Errorf("damaged: %s is empty", path)
	}
	if want := boltSize(f); info.Size() < want {
		return fmt.Errorf("damaged: %s has %d bytes of %d", path, info.Size(), want)
	}
	return nil
}

// boltSize is the least size of a bbolt file by its newest meta page, 0 when it
// has none that can be read: bbolt itself says what is wrong then.
func boltSize(f io.ReaderAt) int64 {
	var newest uint64
	var size int64
	page := int64(os.Getpagesize())
	for n := range int64(2) {
		raw := make([]byte, boltMeta)
		if _, err := f.ReadAt(raw, n*page+boltHeader); err != nil || binary.NativeEndian.Uint32(raw) != boltMagic {
			continue
		}
		pages, txid := binary.NativeEndian.Uint64(raw[40:]), binary.NativeEndian.Uint64(raw[48:])
		if txid >= newest {
			newest, size = txid, int64(pages)*int64(binary.NativeEndian.Uint32(raw[8:]))
		}
	}
	return size
}
