// Package h323 watches the other peers over H.225.0 RAS on UDP port 1719: it
// asks each of them for an alias and indicates a service to it at intervals,
// answers when they do, and says in the log when one stops answering.
//
//	per.go    aligned PER, as far as it is needed
//	ras.go    the five messages: LRQ, LCF, LRJ, SCI, SCR
//	watch.go  sockets, and what arrives     peer.go  what one peer is asked and when
//
// Source: H.225.0 (12/2009) annex H; reference 6.3; reference/voip.md section 3.
package h323
