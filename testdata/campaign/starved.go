package main

import "time"

// Deadlines of the invariants are those of an unhurried machine. How much the
// machine keeps a ready process waiting is measured all the time, and deadlines
// are multiplied by that; every summary line that depends on it says so.

// starved is how many times longer than asked a short sleep takes now: 1 on an
// idle machine.
func starved() float64 {
	const asked, rounds = 5 * time.Millisecond, 20
	begin := time.Now()
	for range rounds {
		time.Sleep(asked)
	}
	return max(1, float64(time.Since(begin))/float64(rounds*asked))
}
