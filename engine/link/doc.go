// Package link is how peers talk to each other: one TLS component for the peer
// link (TCP 4371) and for Raft (TCP 4372).
//
// Nothing is answered before both sides are known. A session is TLS 1.3 with
// a certificate on both sides; its key must be the pinned key of a member, or one
// that it vouches for (succession.go), in Permissive as in Enforcing mode. Then
// both sides exchange a hello that is authenticated with the cluster secret and
// bound to the session: the fence, which keeps histories of unequal generations
// apart. Only then do bytes reach Raft or the HTTP/2 service of the peer link.
//
// The one exception is first contact: a key that nobody pinned may carry the
// join exchange, and nothing else, when it comes from a listed address.
//
// Source: design 3 (the fence) and 4; reference/rqlite.md 4 and 5;
// reference/faults.md 4.1.
package link
