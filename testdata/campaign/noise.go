package main

import (
	"context"
	"math/rand/v2"
	"net"
	"time"
)

// hostile opens connections to a TCP port until ctx ends and sends what chance
// gives: bytes, the begin of a TLS hello, huge lengths, nothing at all. At most
// 40 stay open.
func hostile(ctx context.Context, l *lab, address string, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for ctx.Err() == nil {
		try, stop := context.WithTimeout(ctx, time.Second)
		conn, err := l.dial(try, "tcp", address)
		stop()
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
		_, _ = conn.Write(rude(r)) // it may hang up at once
		if open = append(open, conn); len(open) > 40 {
			open[0].Close()
			open = open[1:]
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// rude is something that no peer sends.
func rude(r *rand.Rand) []byte {
	some := make([]byte, r.IntN(2000))
	for i := range some {
		some[i] = byte(r.Uint32())
	}
	switch r.IntN(4) {
	case 0:
		return some
	case 1:
		return append([]byte{0x16, 0x03, 0x01, 0xff, 0xff}, some...) // a record longer than any
	case 2:
		return append([]byte{0x16, 0x03, 0x01, 0x00, 0xc8, 0x01, 0xff, 0xff, 0xff}, some...) // a hello that goes on for ever
	default:
		return nil // a handshake that never begins
	}
}

// rubbish sends datagrams to a UDP port until ctx ends.
func rubbish(ctx context.Context, l *lab, address string, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	conn, err := l.dial(ctx, "udp", address)
	if err != nil {
		return // the lab is going down
	}
	defer conn.Close()
	for ctx.Err() == nil {
		_, _ = conn.Write(rude(r))
		time.Sleep(5 * time.Millisecond)
	}
}
