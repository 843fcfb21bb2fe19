// Package host holds the facts of the machine that a peer runs on: how names
// resolve for it, whether its time is right, its addresses and its disk.
package host
