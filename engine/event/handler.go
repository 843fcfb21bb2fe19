package event

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"hexad/engine"
)

// Handler turns hexad's own log records into events, so that everything leaves
// in one form. The attributes "module" and "process" choose the event's; the
// others become fields, those of a group as "group.name". A module without a dot
// is one of developer's.
type Handler struct {
	journal *Journal
	module  string
	process string
	prefix  string
	fields  []engine.Field
}

// NewHandler makes a handler whose records go to j, as module developer.hexad
// of process hexad unless they say otherwise.
func NewHandler(j *Journal) *Handler {
	return &Handler{journal: j, module: "developer.hexad", process: "hexad"}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return int64(level) >= h.journal.level.Load()
}

// Handle implements slog.Handler.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	c := h.clone()
	r.Attrs(func(a slog.Attr) bool {
		c.add(c.prefix, a)
		return true
	})
	h.journal.Emit(engine.Event{
		Time: r.Time, Kind: "log.written", Process: c.process, Module: c.module,
		Level: levelName(r.Level), Detail: r.Message, Fields: c.fields,
	})
	return nil
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := h.clone()
	for _, a := range attrs {
		c.add(c.prefix, a)
	}
	return c
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	c := h.clone()
	if name != "" {
		c.prefix += name + "."
	}
	return c
}

func (h *Handler) clone() *Handler {
	c := *h
	c.fields = slices.Clone(h.fields)
	return &c
}

func (h *Handler) add(prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}):
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			h.add(prefix, member)
		}
	case prefix == "" && a.Key == "module":
		if h.module = v.String(); !strings.Contains(h.module, ".") {
			h.module = "developer." + h.module
		}
	case prefix == "" && a.Key == "process":
		h.process = v.String()
	default:
		h.fields = append(h.fields, engine.Field{Name: prefix + a.Key, Value: v.String()})
	}
}

// levelName is one of the log's four words.
func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < slog.LevelWarn:
		return "INFO"
	case l < slog.LevelError:
		return "WARN"
	}
	return "ERROR"
}
