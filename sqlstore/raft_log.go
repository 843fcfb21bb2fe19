package sqlstore

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// raftLog turns the lines that rqlite and Raft write into slog records.
//
// Most of their loggers take no writer: they are made on the variable
// os.Stderr. capture points it at a pipe while a store is opened; every logger
// made meanwhile keeps the pipe. A line that repeats but for its numbers and
// its error is passed once a minute with the count of those left out: an
// unreachable peer is reported by Raft at every try.
type raftLog struct {
	log  *slog.Logger
	r, w *os.File
	done chan struct{}
}

// stderr serialises capture: os.Stderr belongs to the process.
var stderr sync.Mutex

func newRaftLog(log *slog.Logger) (*raftLog, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe for raft's log lines: %w", err)
	}
	l := &raftLog{log: log, r: r, w: w, done: make(chan struct{})}
	go l.read()
	return l, nil
}

// capture runs f with the variable os.Stderr pointing at the pipe.
func (l *raftLog) capture(f func() error) error {
	stderr.Lock()
	defer stderr.Unlock()
	saved := os.Stderr
	os.Stderr = l.w
	defer func() { os.Stderr = saved }()
	return f()
}

// close ends the reading; call it when every store is closed.
func (l *raftLog) close() {
	l.w.Close()
	<-l.done
	l.r.Close()
}

func (l *raftLog) read() {
	defer close(l.done)
	seen := newRepeats(time.Minute)
	lines := bufio.NewReaderSize(l.r, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		if text, level := parseRaftLine(line); text != "" {
			if pass, left := seen.pass(text, time.Now()); pass {
				l.emit(level, text, left)
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *raftLog) emit(level slog.Level, text string, left int) {
	attrs := []slog.Attr{slog.String("line", text)}
	if left > 0 {
		attrs = append(attrs, slog.Int("repeated", left))
	}
	l.log.LogAttrs(context.Background(), level, "raft", attrs...)
}

var (
	raftStamp = regexp.MustCompile(`\d{4}[/-]\d\d[/-]\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)? ?`)
	raftLevel = regexp.MustCompile(`\[(TRACE|DEBUG|INFO|WARN|ERROR)\] *`)
)

// parseRaftLine takes the time stamp and the level out of a line. Lines without
// a level are rqlite's own remarks: debug.
func parseRaftLine(line string) (text string, level slog.Level) {
	level = slog.LevelDebug
	if m := raftLevel.FindStringSubmatch(line); m != nil {
		switch m[1] {
		case "WARN":
			level = slog.LevelWarn
		case "ERROR":
			level = slog.LevelWarn // what it means to the appliance is an alarm's to say
		case "INFO":
			level = slog.LevelInfo
		}
		line = raftLevel.ReplaceAllString(line, "")
	}
	return strings.TrimSpace(raftStamp.ReplaceAllString(line, "")), level
}

// repeats tells which texts were seen a short while ago, numbers and the error
// at the end aside.
type repeats struct {
	every time.Duration
	texts map[string]*repeat
}

type repeat struct {
	at   time.Time
	left int
}

// repeatsMax bounds the texts that are remembered.
const repeatsMax = 256

func newRepeats(every time.Duration) *repeats {
	return &repeats{every: every, texts: map[string]*repeat{}}
}

var digits = regexp.MustCompile(`[0-9]+`)

// pass reports whether text is to be shown at now, and how many like it were
// left out since the last one.
func (r *repeats) pass(text string, now time.Time) (bool, int) {
	key, _, _ := strings.Cut(text, " error=")
	key = digits.ReplaceAllString(key, "#")
	seen := r.texts[key]
	if seen == nil {
		if len(r.texts) >= repeatsMax {
			clear(r.texts)
		}
		r.texts[key] = &repeat{at: now}
		return true, 0
	}
	if now.Sub(seen.at) < r.every {
		seen.left++
		return false, 0
	}
	left := seen.left
	seen.at, seen.left = now, 0
	return true, left
}
