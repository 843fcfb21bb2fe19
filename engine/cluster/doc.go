// Package cluster is what one peer knows and does about its cluster: the
// clustering page, who the members are, whether each of them answers, who may
// join, how the Raft group follows the nominated primary, and which alarms all
// of that means.
//
// It decides no rule: the rules are Lua behind the interface Rules. It holds
// no bytes of others: authentication and framing are the link's.
//
//	page.go        the clustering page: saved, running, what needs a restart
//	peer.go        one listed peer: contact, round trip, facts, state
//	contact.go     the loops that keep contact on both ports
//	server.go      what this peer answers on the peer link
//	join.go        joining a cluster, and admitting a joiner
//	vote.go        who has no vote for now, and giving one back
//	group.go       voters and leadership following the nominated primary
//	rules.go       facts to the rules, findings back
//	gate.go        whether a step of a procedure may begin
//	capacity.go    what the cluster carries
//	condition.go   state to alarms
//	view.go        everything above as one page
//	record.go      the log lines of a synchronisation and of a change
package cluster
