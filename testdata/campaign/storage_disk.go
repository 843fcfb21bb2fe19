package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// block is the unit in which a disk keeps its content.
const block = 4096

// disks are the disks of several machines on one power line: files of a file
// system of this process, below loop devices with ext4. Every write and every
// flush of the caches is noted in one log. What a power cut at any moment
// leaves on any of them can so be made afterwards, from one run, as often as wanted.
//
// A disk is an honest one with a volatile cache: what was flushed stays, what
// was written since the last flush is there in whole, in part or not at all.
type disks struct {
	dir    string // where the files are seen
	server *fuse.Server
	root   *fs.Inode
	list   []*disk

	mu  sync.Mutex
	log []action
}

// action is one write, or a flush when data is nil.
type action struct {
	disk int
	at   int64
	data []byte
}

// disk is one of them.
type disk struct {
	fs.Inode
	all    *disks
	number int
	size   int64

	mu     sync.Mutex
	blocks map[int64][]byte // present content; missing blocks are zero
	base   map[int64][]byte // content when recording began

	wrong fault
}

// fault is what is wrong with a disk now.
type fault struct {
	flush time.Duration // what a flush takes
	err   syscall.Errno // what every flush and write ends with
}

var (
	_ fs.NodeOpener    = (*disk)(nil)
	_ fs.NodeReader    = (*disk)(nil)
	_ fs.NodeWriter    = (*disk)(nil)
	_ fs.NodeFsyncer   = (*disk)(nil)
	_ fs.NodeGetattrer = (*disk)(nil)
)

// newDisks makes count disks that hold what the file template does.
func newDisks(dir, template string, count int) (*disks, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	size, content, err := readBlocks(template)
	if err != nil {
		return nil, err
	}
	d := &disks{dir: dir}
	root := &fs.Inode{}
	d.root = root
	options := &fs.Options{OnAdd: func(ctx context.Context) {
		for n := range count {
			one := &disk{all: d, number: n, size: size, blocks: cloned(content), base: cloned(content)}
			d.list = append(d.list, one)
			root.AddChild(diskName(n), root.NewPersistentInode(ctx, one, fs.StableAttr{Mode: syscall.S_IFREG}), false)
		}
	}}
	options.DirectMountStrict, options.FsName, options.Name, options.MaxWrite = true, "hexad-campaign", "disks", 1<<20
	options.DisableXAttrs = true
	if d.server, err = fs.Mount(dir, root, options); err != nil {
		return nil, err
	}
	return d, nil
}

func diskName(n int) string { return fmt.Sprintf("disk%d.img", n+1) }

// path is the file of disk n, for a loop device.
func (d *disks) path(n int) string { return filepath.Join(d.dir, diskName(n)) }

// close takes the files away. Nothing may be mounted from them any more; a loop
// device may still be letting go.
func (d *disks) close() error {
	var err error
	for range 200 {
		if err = d.server.Unmount(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.Join(err, syscall.Unmount(d.dir, syscall.MNT_DETACH))
}

// now is the length of the log: an instant. Everything before it has happened.
func (d *disks) now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// flushes are the instants just after each flush from one instant to another:
// the sync boundaries.
func (d *disks) flushes(from, to int) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []int
	for n := from; n < min(to, len(d.log)); n++ {
		if d.log[n].data == nil {
			out = append(out, n+1)
		}
	}
	return out
}

// spoil sets what is wrong with a disk from now on; the zero fault mends it.
func (d *disk) spoil(f fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrong = f
}

func (d *disk) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, fs.OK
}

func (d *disk) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size, out.Blksize = syscall.S_IFREG|0o600, uint64(d.size), block
	return fs.OK
}

func (d *disk) Read(_ context.Context, _ fs.FileHandle, into []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	into = into[:max(0, min(int64(len(into)), d.size-at))]
	readAt(d.blocks, into, at)
	return fuse.ReadResultData(into), fs.OK
}

func (d *disk) Write(_ context.Context, _ fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wrong.err != 0 {
		return 0, d.wrong.err
	}
	own := bytes.Clone(data)
	writeAt(d.blocks, own, at)
	d.all.note(action{d.number, at, own})
	return uint32(len(data)), fs.OK
}

func (d *disk) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	d.mu.Lock()
	wrong := d.wrong
	d.mu.Unlock()
	if wrong.flush > 0 {
		time.Sleep(wrong.flush) // the fault itself
	}
	if wrong.err != 0 {
		return wrong.err
	}
	d.all.note(action{disk: d.number})
	return fs.OK
}

func (d *disks) note(a action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, a)
}

// cut is a power cut: all disks lose it at one instant of the log.
type cut struct {
	at   int
	torn *rand.Rand // which unflushed blocks survive; nil: none does
}

// after writes what the cut leaves on disk n into the file path.
func (d *disks) after(c cut, n int, path string) error {
	d.mu.Lock()
	log := d.log[:min(c.at, len(d.log))]
	d.mu.Unlock()
	one := d.list[n]
	last := 0 // of the flushed ones
	for i, a := range log {
		if a.disk == n && a.data == nil {
			last = i
		}
	}
	blocks := cloned(one.base)
	for i, a := range log {
		switch {
		case a.disk != n || a.data == nil:
		case i < last:
			writeAt(blocks, a.data, a.at)
		case c.torn != nil: // a disk writes blocks, in any order
			for from := 0; from < len(a.data); from += block {
				if c.torn.IntN(2) == 0 {
					writeAt(blocks, a.data[from:min(from+block, len(a.data))], a.at+int64(from))
				}
			}
		}
	}
	return writeBlocks(path, one.size, blocks)
}

// forget drops the log: what is on the disks now is what was flushed.
func (d *disks) forget() {
	for _, one := range d.list {
		one.mu.Lock()
		one.base = cloned(one.blocks)
		one.mu.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = nil
}

// cloned copies the map, not the blocks: those are replaced, never changed.
func cloned(blocks map[int64][]byte) map[int64][]byte {
	out := make(map[int64][]byte, len(blocks))
	for k, v := range blocks {
		out[k] = v
	}
	return out
}

func readAt(blocks map[int64][]byte, into []byte, at int64) {
	for len(into) > 0 {
		n := min(block-int(at%block), len(into))
		if b := blocks[at/block]; b != nil {
			copy(into[:n], b[at%block:])
		} else {
			clear(into[:n])
		}
		into, at = into[n:], at+int64(n)
	}
}

func writeAt(blocks map[int64][]byte, data []byte, at int64) {
	for len(data) > 0 {
		n := min(block-int(at%block), len(data))
		if n == block {
			blocks[at/block] = data[:n:n]
		} else {
			b := make([]byte, block)
			copy(b, blocks[at/block])
			copy(b[at%block:], data[:n])
			blocks[at/block] = b
		}
		data, at = data[n:], at+int64(n)
	}
}

// readBlocks reads the blocks of a file that are not zero.
func readBlocks(path string) (size int64, blocks map[int64][]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, nil, err
	}
	blocks = map[int64][]byte{}
	zero := make([]byte, block)
	for n := range info.Size() / block {
		b := make([]byte, block)
		if _, err := f.ReadAt(b, n*block); err != nil && err != io.EOF {
			return 0, nil, err
		}
		if !bytes.Equal(b, zero) {
			blocks[n] = b
		}
	}
	return info.Size(), blocks, nil
}

func writeBlocks(path string, size int64, blocks map[int64][]byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	for n, b := range blocks {
		if _, err := f.WriteAt(b, n*block); err != nil {
			return err
		}
	}
	return f.Close()
}
