package ssh

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/signin"
)

// session is one connection that has signed in. A client may have several
// conversations in it, one a channel.
type session struct {
	server      *Server
	conn        *ssh.ServerConn
	account     signin.Account // without its hash
	hash        string
	fingerprint string // of the key that was used
	how         string // for the event log
	source      string // ip:port
	key         string // what its source is counted by
	started     time.Time
	refusal     string // why it may not be used, "" otherwise

	used     atomic.Int64 // when something was typed last: time.Duration since started
	running  sync.WaitGroup
	mu       sync.Mutex
	channels map[*conversation]struct{}
	ended    string // why it was ended here
	vain     int    // what was asked for in vain
}

func newSession(s *Server, conn *ssh.ServerConn) *session {
	ext := conn.Permissions.Extensions
	v := &session{server: s, conn: conn, account: signin.Account{Name: conn.User(), Role: command.Role(ext[extRole])}, hash: ext[extHash], fingerprint: ext[extKey],
		source: conn.RemoteAddr().String(), key: sourceKey(conn.RemoteAddr()), started: time.Now(), channels: map[*conversation]struct{}{}, how: "password"}
	if v.fingerprint != "" {
		v.how = "key " + v.fingerprint
	}
	return v
}

func (v *session) by() command.By {
	return command.By{Actor: engine.Actor{User: v.account.Name, Via: "ssh", Source: v.source}, Role: v.account.Role}
}

func (v *session) touch() { v.used.Store(int64(time.Since(v.started))) }

// serve answers the connection until the client ends it, it is ended here, or
// ctx ends; what is being carried out then is finished first.
func (v *session) serve(ctx context.Context, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	v.running.Go(func() { v.answerRequests(requests) })
	v.running.Go(func() { v.watch(ctx) })
	var talks sync.WaitGroup
	defer v.running.Wait()
	defer stop()
	defer v.conn.Close()
	defer talks.Wait()
	for {
		select {
		case c, ok := <-channels:
			if !ok {
				stop()
				return
			}
			v.open(ctx, c, &talks)
		case <-ctx.Done():
			return
		}
	}
}

// open begins a conversation; every other kind of channel is refused.
func (v *session) open(ctx context.Context, c ssh.NewChannel, talks *sync.WaitGroup) {
	if c.ChannelType() != "session" {
		v.inVain()
		_ = c.Reject(ssh.Prohibited, "this is the administrator's shell: nothing is forwarded") // the client may be gone
		return
	}
	v.mu.Lock()
	room := len(v.channels) < maxChannels
	v.mu.Unlock()
	if !room {
		v.inVain()
		_ = c.Reject(ssh.ResourceShortage, fmt.Sprintf("%d conversations are open in this connection already", maxChannels))
		return
	}
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	talk := &conversation{session: v, channel: channel}
	v.mu.Lock()
	v.channels[talk] = struct{}{}
	v.mu.Unlock()
	talks.Go(func() {
		defer func() {
			v.mu.Lock()
			delete(v.channels, talk)
			v.mu.Unlock()
		}()
		talk.serve(ctx, requests)
		if v.refusal != "" {
			v.conn.Close()
		}
	})
}

// answerRequests refuses what concerns the connection as a whole: forwarding,
// most of all. A client's sign of life is answered by the refusal.
func (v *session) answerRequests(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			_ = r.Reply(false, nil) // the client may be gone
		}
		if r.Type != "keepalive@openssh.com" {
			v.inVain()
		}
	}
}

// inVain counts what is not to be had here, and ends who does not stop asking.
func (v *session) inVain() {
	v.mu.Lock()
	v.vain++
	over := v.vain == maxRefused
	v.mu.Unlock()
	if over {
		go v.end("Too much was asked for that is not to be had here: this session ends.")
	}
}

// watch ends the session when nothing was typed for too long, or when it was
// there for too long.
func (v *session) watch(ctx context.Context) {
	life := idleTime
	if v.refusal != "" {
		life = loginTime
	}
	timer := time.NewTimer(life)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		left := time.Until(v.ends())
		if left > 0 && v.refusal == "" {
			timer.Reset(left)
			continue
		}
		why := fmt.Sprintf("Nothing was typed for %d minutes: this session ends.", int(idleTime.Minutes()))
		if time.Since(v.started) >= absoluteTime {
			why = fmt.Sprintf("This session has lasted %d hours: it ends. Sign in again.", int(absoluteTime.Hours()))
		}
		v.end(why)
		return
	}
}

// end says why and closes the connection; who does not read is not waited for.
func (v *session) end(why string) {
	v.mu.Lock()
	if v.ended != "" {
		v.mu.Unlock()
		return
	}
	v.ended = why
	var talks []*conversation
	for c := range v.channels {
		talks = append(talks, c)
	}
	v.mu.Unlock()
	told := make(chan struct{})
	go func() {
		defer close(told)
		for _, c := range talks {
			c.notice(why)
		}
	}()
	select {
	case <-told:
	case <-time.After(noticeTime):
	}
	v.conn.Close()
}

// over is why the session is over, for the event log.
func (v *session) over() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ended
}
