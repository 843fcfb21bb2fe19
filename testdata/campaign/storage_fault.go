package main

import (
	"context"
	"io"
	"log"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// faultFS is a directory seen through a file system of this process, which
// counts the syncs and writes of a peer and lets chosen ones fail: the n-th
// exactly, whichever thread does it.
type faultFS struct {
	server *fuse.Server
	at     string // where it is seen

	mu     sync.Mutex
	plan   faultPlan
	syncs  int // since the plan was set
	writes int
	struck []string // what failed: "fsync cluster/…/raft.db"
}

// faultPlan says what fails. The zero plan: nothing.
type faultPlan struct {
	sync    int           // the n-th sync from now fails, 0: none
	write   int           // the n-th write from now fails, 0: none
	err     syscall.Errno // with this
	forGood bool          // and every later one of the kind
	short   bool          // the write is not refused: half of it is written
	slow    time.Duration // what every sync takes
	below   string        // only files whose path contains this
}

// newFaultFS shows dir at at.
func newFaultFS(dir, at string) (*faultFS, error) {
	f := &faultFS{at: at}
	data := &fs.LoopbackRoot{Path: dir}
	data.NewNode = func(data *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &faultNode{LoopbackNode: fs.LoopbackNode{RootData: data}, fs: f}
	}
	root := data.NewNode(data, nil, "", nil)
	data.RootNode = root
	log.SetOutput(io.Discard) // go-fuse tells of requests that it need not know
	options := &fs.Options{NullPermissions: true}
	options.DirectMountStrict, options.FsName, options.Name, options.DisableXAttrs = true, "hexad-campaign", "faults", true
	var err error
	f.server, err = fs.Mount(at, root, options)
	return f, err
}

func (f *faultFS) close() error {
	var err error
	for range 200 {
		if err = f.server.Unmount(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = syscall.Unmount(f.at, syscall.MNT_DETACH)
	return err
}

// set puts a plan in force and begins to count from zero.
func (f *faultFS) set(p faultPlan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.syncs, f.writes, f.struck = p, 0, 0, nil
}

// hit is what has failed since set.
func (f *faultFS) hit() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.struck...)
}

// counts are the syncs and writes since set.
func (f *faultFS) counts() (syncs, writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.syncs, f.writes
}

// onSync decides about one sync of path.
func (f *faultFS) onSync(path string) syscall.Errno {
	f.mu.Lock()
	if !strings.Contains(path, f.plan.below) {
		f.mu.Unlock()
		return 0
	}
	f.syncs++
	slow, err := f.plan.slow, syscall.Errno(0)
	if f.plan.sync > 0 && (f.syncs == f.plan.sync || f.plan.forGood && f.syncs > f.plan.sync) {
		err = f.plan.err
		f.note("sync " + path)
	}
	f.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow) // the fault itself
	}
	return err
}

// onWrite decides about one write of n bytes to path: how many are written
// before the error.
func (f *faultFS) onWrite(path string, n int) (int, syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.Contains(path, f.plan.below) {
		return n, 0
	}
	f.writes++
	if f.plan.write == 0 || f.writes != f.plan.write && !(f.plan.forGood && f.writes > f.plan.write) {
		return n, 0
	}
	f.note("write " + path)
	if f.plan.short {
		return n / 2, f.plan.err
	}
	return 0, f.plan.err
}

func (f *faultFS) note(what string) {
	const most = 100
	if len(f.struck) < most {
		f.struck = append(f.struck, what)
	}
}

// faultNode is one file or directory.
type faultNode struct {
	fs.LoopbackNode
	fs *faultFS
}

var (
	_ fs.NodeFsyncer        = (*faultNode)(nil)
	_ fs.NodeWriter         = (*faultNode)(nil)
	_ fs.NodeOpener         = (*faultNode)(nil)
	_ fs.NodeCreater        = (*faultNode)(nil)
	_ fs.NodeOpendirHandler = (*faultNode)(nil)
)

func (n *faultNode) path() string { return filepath.ToSlash(n.Path(n.Root())) }

func (n *faultNode) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	if err := n.fs.onSync(n.path()); err != 0 {
		return err
	}
	if s, ok := f.(fs.FileFsyncer); ok {
		return s.Fsync(ctx, flags)
	}
	return syscall.ENOTSUP
}

func (n *faultNode) Write(ctx context.Context, f fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	w, ok := f.(fs.FileWriter)
	if !ok {
		return 0, syscall.EBADF
	}
	most, err := n.fs.onWrite(n.path(), len(data))
	if most == 0 && err != 0 {
		return 0, err
	}
	return w.Write(ctx, data[:most], at)
}

// fileHandle is what a loopback file can do, but for handing its descriptor to
// the kernel, which would then write past this process.
type fileHandle interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFsyncer
	fs.FileFlusher
	fs.FileReleaser
	fs.FileGetattrer
	fs.FileSetattrer
	fs.FileAllocater
	fs.FileLseeker
}

type faultFile struct{ fileHandle }

func hidden(h fs.FileHandle) fs.FileHandle {
	if f, ok := h.(fileHandle); ok {
		return faultFile{f}
	}
	return h
}

func (n *faultNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, out, err := n.LoopbackNode.Open(ctx, flags)
	return hidden(h), out, err
}

func (n *faultNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, h, more, err := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, hidden(h), more, err
}

func (n *faultNode) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, out, err := n.LoopbackNode.OpendirHandle(ctx, flags)
	if d, ok := h.(dirHandle); ok {
		return &faultDir{d, n}, out, err
	}
	return h, out, err
}

// dirHandle is what a loopback directory can do.
type dirHandle interface {
	fs.FileReaddirenter
	fs.FileReleasedirer
	fs.FileSeekdirer
	fs.FileFsyncdirer
}

// faultDir is an open directory.
type faultDir struct {
	dirHandle
	node *faultNode
}

func (d *faultDir) Fsyncdir(ctx context.Context, flags uint32) syscall.Errno {
	if err := d.node.fs.onSync(d.node.path()); err != 0 {
		return err
	}
	return d.dirHandle.Fsyncdir(ctx, flags)
}
