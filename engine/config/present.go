package config

import (
	"sync/atomic"
	"time"
)

// staleFor is how long a build that is not fresh shows the view before.
const staleFor = 300 * time.Millisecond

// present is the present view, swapped whole.
type present struct {
	atomic.Pointer[View]
	before atomic.Pointer[former]
}

type former struct {
	view  *View
	until time.Time
}

// Store makes v the present view.
func (p *present) Store(v *View) {
	if old := p.Load(); !fresh && old != nil {
		p.before.Store(&former{old, time.Now().Add(staleFor)})
	}
	p.Pointer.Store(v)
}

// shown is the view that readers get.
func (p *present) shown() *View {
	if f := p.before.Load(); !fresh && f != nil && time.Now().Before(f.until) {
		return f.view
	}
	return p.Load()
}
