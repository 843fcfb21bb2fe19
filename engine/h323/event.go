package h323

import (
	"net/netip"
	"strconv"
	"time"

	"hexad/engine"
)

// Resent is the log line of a request sent again, TimedOut that of one given
// up. Source: the seed; reference 8.2.
func Resent(t Type, to netip.AddrPort, seq uint16) engine.Event {
	return sent(t, to, seq, "Retransmit=True")
}

// TimedOut is the log line of a request given up.
func TimedOut(t Type, to netip.AddrPort, seq uint16) engine.Event {
	return sent(t, to, seq, "Timeout=True")
}

func sent(t Type, to netip.AddrPort, seq uint16, outcome string) engine.Event {
	return engine.Event{
		Time: time.Now(), Kind: "ras.sent", Process: "tvcs", Module: "network.h323", Level: "INFO",
		Detail: "Sending RAS " + string(t) + " SeqNum=" + strconv.Itoa(int(seq)) + " " + outcome,
		Fields: []engine.Field{
			{Name: "Action", Value: "Sent"},
			{Name: "Dst-ip", Value: to.Addr().String()},
			{Name: "Dst-port", Value: strconv.Itoa(int(to.Port()))},
		},
	}
}

// Lost is the line of the Event Log for a peer that stopped answering.
func Lost(peer netip.AddrPort) engine.Event {
	return engine.Event{
		Time: time.Now(), Kind: "server.lost", Process: "tvcs", Name: "External Server Communications Failure", Level: "1",
		Detail: "name:" + peer.Addr().String() + ":" + strconv.Itoa(int(peer.Port())),
		Fields: []engine.Field{{Name: "Reason", Value: "gatekeeper timed out"}, {Name: "Service", Value: "NeighbourGatekeeper"}},
	}
}

// Found is the line for a peer that answers again after it was lost.
func Found(peer netip.AddrPort) engine.Event {
	return engine.Event{
		Time: time.Now(), Kind: "server.found", Process: "tvcs", Module: "network.h323", Level: "INFO",
		Detail: "Peer answers RAS again",
		Fields: []engine.Field{
			{Name: "Action", Value: "Received"},
			{Name: "Src-ip", Value: peer.Addr().String()},
			{Name: "Src-port", Value: strconv.Itoa(int(peer.Port()))},
		},
	}
}
