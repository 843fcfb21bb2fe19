package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// save is one acknowledged save of one item.
type save struct {
	Revision int64
	Path     string // of the item
	Value    string
}

// ledger keeps the acknowledged saves outside of the product: on this
// machine's disk before the writer goes on, and in memory to compare. Saves
// that arrive together are synced together.
type ledger struct {
	file  *os.File
	queue chan entry
	done  chan struct{}

	mu        sync.Mutex
	saves     []save
	revisions map[int64]string // whose save got it: every revision is given once
	twice     []string
	failed    error
}

type entry struct {
	saves []save
	noted chan struct{}
}

func newLedger(dir string) (*ledger, error) {
	f, err := os.Create(filepath.Join(dir, "acknowledged.tsv"))
	if err != nil {
		return nil, err
	}
	l := &ledger{file: f, queue: make(chan entry, 256), done: make(chan struct{}), revisions: map[int64]string{}}
	go l.write()
	return l, nil
}

// note keeps what one answer acknowledged and returns when it is on disk.
func (l *ledger) note(saves ...save) {
	e := entry{saves, make(chan struct{})}
	l.queue <- e
	<-e.noted
}

func (l *ledger) write() {
	defer close(l.done)
	out := bufio.NewWriter(l.file)
	for e := range l.queue {
		batch := []entry{e}
		for more := true; more; {
			select {
			case e, ok := <-l.queue:
				if more = ok; ok {
					batch = append(batch, e)
				}
			default:
				more = false
			}
		}
		for _, e := range batch {
			l.add(e.saves)
			for _, s := range e.saves {
				fmt.Fprintf(out, "%d\t%s\t%s\n", s.Revision, s.Path, s.Value)
			}
		}
		if err := errors.Join(out.Flush(), l.file.Sync()); err != nil {
			l.mu.Lock()
			l.failed = errors.Join(l.failed, err)
			l.mu.Unlock()
		}
		for _, e := range batch {
			close(e.noted)
		}
	}
}

func (l *ledger) add(saves []save) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range saves {
		if other, taken := l.revisions[s.Revision]; taken && i == 0 {
			l.twice = append(l.twice, fmt.Sprintf("revision %d was answered to %s and to %s=%s", s.Revision, other, s.Path, s.Value))
		}
		l.revisions[s.Revision] = s.Path + "=" + s.Value
	}
	l.saves = append(l.saves, saves...)
}

// all are the saves so far, in the order of their answers.
func (l *ledger) all() []save {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.saves[:len(l.saves):len(l.saves)]
}

// count is how many saves were acknowledged.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.saves)
}

// close ends the ledger and says what was wrong with it, and with the revisions.
func (l *ledger) close() (twice []string, err error) {
	close(l.queue)
	<-l.done
	return l.twice, errors.Join(l.failed, l.file.Close())
}
