package console

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

// Rhythm of a live stream.
const (
	livePause = 250 * time.Millisecond // at least between two looks
	liveTick  = 2 * time.Second        // at most between two looks: round trips change without an event
	liveBeat  = 15 * time.Second       // between two signs of life
	liveWrite = 10 * time.Second       // for one write; a reader that takes longer is gone
)

// liveStreams counts the open streams, in all and of each session.
type liveStreams struct {
	mu    sync.Mutex
	total int
	by    map[string]int
}

func newLiveStreams() *liveStreams { return &liveStreams{by: make(map[string]int)} }

// enter admits one more stream of a session and returns how it leaves.
func (l *liveStreams) enter(session string) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxLive || l.by[session] >= maxLiveByUser {
		return nil, false
	}
	l.total++
	l.by[session]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.total--
		if l.by[session]--; l.by[session] == 0 {
			delete(l.by, session)
		}
	}, true
}

// fragment makes one live part of a page: its template and the template's data.
type fragment struct {
	template string
	data     func(s *Server, c echo.Context, page Page, q url.Values) (any, error)
}

func framed(_ *Server, _ echo.Context, page Page, _ url.Values) (any, error) { return page, nil }

func overviewed(s *Server, c echo.Context, page Page, _ url.Values) (any, error) {
	return s.overview(c, page), nil
}

// fragments are the topics of the live stream. They are the templates that the
// pages themselves are made of.
func fragments() map[string]fragment {
	out := map[string]fragment{
		"banners":  {"banners", framed},
		"alarmbar": {"alarmbar", framed},
		"facts":    {"facts", overviewed},
		"peers":    {"peers", overviewed},
		"map":      {"map", overviewed},
		"changes":  {"changes", overviewed},
		"clusterstatus": {"clusterstatus", func(_ *Server, _ echo.Context, page Page, _ url.Values) (any, error) {
			return clustering(page), nil
		}},
		"alarms": {"alarmlist", func(s *Server, c echo.Context, page Page, q url.Values) (any, error) { return s.alarms(c, page, q) }},
		"policypeers": {"policypeers", func(s *Server, c echo.Context, page Page, _ url.Values) (any, error) {
			p := PoliciesPage{PolicyFrame: PolicyFrame{Page: page, Tab: "scripts"}}
			s.watched(c, &p)
			return p, nil
		}},
		"procedure": {"procedure", func(s *Server, c echo.Context, page Page, q url.Values) (any, error) {
			return s.procedures(c, page, q)
		}},
		"events": {"eventlist", func(s *Server, c echo.Context, page Page, q url.Values) (any, error) { return s.events(c, page, q) }},
	}
	for i := range engine.MaxPeers {
		out[peerKey(i+1)] = fragment{"peerstatus", func(_ *Server, _ echo.Context, page Page, _ url.Values) (any, error) {
			return clustering(page).Fields[i], nil
		}}
	}
	return out
}

// liveStream sends the fragments that a page asked for, each when it changed,
// until the page goes, the session ends or the console stops.
func (s *Server) liveStream(c echo.Context) error {
	in, err := s.session(c.Request(), false)
	if err != nil {
		return err
	}
	leave, ok := s.live.enter(in.Session.ID)
	if !ok {
		return &engine.Error{Code: engine.Exhausted, Message: "error.live"}
	}
	defer leave()
	here, err := url.Parse(local(c.QueryParam("here")))
	if err != nil {
		return &engine.Error{Code: engine.Invalid, Message: "error.form", Err: err}
	}
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	st := &stream{s: s, c: c, in: in, here: here, topics: strings.Fields(c.QueryParam("topics")),
		sent: make(map[string]string), fragments: fragments(), control: http.NewResponseController(c.Response())}
	if err := st.run(); err != nil {
		s.options.Logger.Debug("live page gone", "user", in.Session.User, "error", err)
	}
	return nil
}

// stream is one open live page.
type stream struct {
	s         *Server
	c         echo.Context
	in        signedIn
	here      *url.URL
	topics    []string
	sent      map[string]string // topic -> what was sent last
	fragments map[string]fragment
	control   *http.ResponseController
}

func (st *stream) run() error {
	if err := st.control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	// Everything at first: the state may have changed since the page was made.
	// The page leaves alone what is equal.
	if err := st.look(); err != nil {
		return err
	}
	ctx := st.c.Request().Context()
	tick, beat := time.NewTicker(liveTick), time.NewTicker(liveBeat)
	defer tick.Stop()
	defer beat.Stop()
	for {
		changed := st.s.options.Changed()
		select {
		case <-ctx.Done():
			return nil
		case <-st.s.quit:
			return nil
		case <-beat.C:
			in, err := st.s.session(st.c.Request(), false)
			if err != nil {
				return st.write("event: signed-out\ndata:\n\n")
			}
			st.in = in
			if err := st.write(": alive\n\n"); err != nil {
				return err
			}
		case <-changed:
			// A burst of changes is one look.
			select {
			case <-time.After(livePause):
			case <-ctx.Done():
				return nil
			}
			if err := st.look(); err != nil {
				return err
			}
		case <-tick.C:
			if err := st.look(); err != nil {
				return err
			}
		}
	}
}

// look makes every fragment again and sends those that differ from what was sent.
func (st *stream) look() error {
	st.c.Set(who, st.in) // fragments may run commands that read
	page := st.s.page(st.c, st.in, strings.Trim(st.here.Path, "/"))
	page.Here = st.here.RequestURI()
	q := st.here.Query()
	var out strings.Builder
	for _, topic := range st.topics {
		f, known := st.fragments[topic]
		if !known {
			continue
		}
		data, err := f.data(st.s, st.c, page, q)
		if err != nil {
			continue // the page keeps what it shows; its own request tells the error
		}
		html, err := st.s.pages.execute(page.Lang, f.template, data)
		if err != nil {
			return err
		}
		if st.sent[topic] == string(html) {
			continue
		}
		st.sent[topic] = string(html)
		writeEvent(&out, topic, html)
	}
	if out.Len() == 0 {
		return nil
	}
	return st.write(out.String())
}

// writeEvent writes one event; each line of the data needs its own field.
func writeEvent(out *strings.Builder, topic string, data []byte) {
	fmt.Fprintf(out, "event: %s\n", topic)
	for line := range bytes.SplitSeq(bytes.TrimSpace(data), []byte("\n")) {
		fmt.Fprintf(out, "data: %s\n", bytes.TrimRight(line, "\r"))
	}
	out.WriteString("\n")
}

func (st *stream) write(s string) error {
	if err := st.control.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
		return err
	}
	if _, err := st.c.Response().Write([]byte(s)); err != nil {
		return err
	}
	return st.control.Flush()
}
