package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Stage is one thing that hexad did itself, in Go, on the way to a decision of
// the rules or with its answer: what a decision shows beside the scripts.
//
// Source: reference/policy-api.md section 9.
type Stage struct {
	Name    string // what was done: "names", "limits", "stored"
	Outcome string // one word or a few: "resolved", "2 of 3"
	Detail  string
}

// Limits of what one operation tells: it tells a handful, and names of others
// may be long.
const (
	maxStages      = 32
	maxStageDetail = 300 // bytes
)

// stages collects the stages of one operation, from its first to its last, and
// the decisions that were asked for between them. It is safe for concurrent use.
type stages struct {
	mu    sync.Mutex
	list  []Stage
	asked []asked
}

// asked is a decision that was made after so many stages.
type asked struct {
	after int
	later func([]Stage)
}

type stagesKey struct{}

// WithStages begins an operation whose stages are told to the decisions that
// are made in it; end tells them what came after. Within an operation that has
// begun already it changes nothing: the stages belong to the whole.
func WithStages(ctx context.Context) (_ context.Context, end func()) {
	if stagesOf(ctx) != nil {
		return ctx, func() {}
	}
	s := &stages{}
	return context.WithValue(ctx, stagesKey{}, s), s.end
}

// Staged notes a stage of the operation that ctx belongs to, if it belongs to one.
func Staged(ctx context.Context, name, outcome, format string, args ...any) {
	s := stagesOf(ctx)
	if s == nil {
		return
	}
	detail := fmt.Sprintf(format, args...)
	if len(detail) > maxStageDetail {
		detail = strings.ToValidUTF8(detail[:maxStageDetail], "") + "…"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) < maxStages {
		s.list = append(s.list, Stage{Name: name, Outcome: outcome, Detail: detail})
	}
}

// InStages reports whether ctx belongs to an operation that notes its stages.
func InStages(ctx context.Context) bool { return stagesOf(ctx) != nil }

// StagesBefore returns the stages of ctx so far, for a decision that is made
// now; once the operation has ended, later is told those that came after, if
// there are any. Outside of an operation there are none.
func StagesBefore(ctx context.Context, later func([]Stage)) []Stage {
	s := stagesOf(ctx)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, asked{len(s.list), later})
	return append([]Stage(nil), s.list...)
}

// end tells each decision what came after it.
func (s *stages) end() {
	s.mu.Lock()
	list, all := s.list, s.asked
	s.asked = nil
	s.mu.Unlock()
	for _, a := range all {
		if after := list[a.after:]; len(after) > 0 && a.later != nil {
			a.later(after)
		}
	}
}

func stagesOf(ctx context.Context) *stages {
	s, _ := ctx.Value(stagesKey{}).(*stages)
	return s
}
