// Package appliancetest runs real peers for tests: processes of the built
// program at loopback addresses, with the standard ports.
//
// A test waits for conditions with deadlines and never sleeps; when it fails it
// prints the log of each of its peers.
package appliancetest
