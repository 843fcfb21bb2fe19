// Package signin proves who an administrator is: passwords, and what slows
// down who guesses them. The faces of one peer share one Guard, so that nobody
// gains by trying at several.
package signin

import (
	"context"
	"net/netip"
	"time"

	"hexad/engine"
	"hexad/ui/command"
)

// Account is one administrator's account of this peer. Hash is a PHC string of
// HashPassword.
type Account struct {
	Name string
	Hash string
	Role command.Role
}

// Accounts are the accounts that may sign in at a face.
type Accounts interface {
	// Account returns the named account. Errors: NotFound.
	Account(ctx context.Context, name string) (Account, error)
}

// Event is what happens to sessions, in the words of the event log.
// Source: reference 8.3.
type Event string

// The events of a session.
const (
	SessionStart        Event = "Admin Session Start"
	SessionFinish       Event = "Admin Session Finish"
	SessionLoginFailure Event = "Admin Session Login Failure"
)

// decoy is verified against when there is no such account, so that the answer
// takes as long as for one that exists.
const decoy = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// maxName is how much of an account's name attempts are counted by.
const maxName = 128

// Guard decides about attempts to sign in. It is safe for concurrent use.
type Guard struct {
	byIP   *limiter
	byUser *limiter
}

// NewGuard makes the guard of one peer.
//
// A stranger can slow down an account's sign-in, never lock it out: the wait by
// account is short, the wait by address is what stops guessing.
func NewGuard() *Guard {
	return &Guard{byIP: newLimiter(5, 15*time.Minute), byUser: newLimiter(20, 15*time.Second)}
}

// Attempt is what became of one attempt: OK, or to be repeated after Wait at
// the earliest, or else the account or its password was wrong.
type Attempt struct {
	Account Account
	OK      bool
	Wait    time.Duration // above 0: nothing was looked at
}

// Try compares a password. ip is where it comes from, without a port. An
// account that there is not takes as long as a wrong password.
//
// Errors: those of accounts but NotFound; Unavailable (ctx ended while two
// others were hashing).
func (g *Guard) Try(ctx context.Context, accounts Accounts, name, password, ip string) (Attempt, error) {
	byIP, byUser := AddressKey(ip), name[:min(len(name), maxName)]
	if wait := max(g.byIP.Attempt(byIP), g.byUser.Attempt(byUser)); wait > 0 {
		return Attempt{Wait: wait}, nil
	}
	account, err := accounts.Account(ctx, name)
	missing := engine.CodeOf(err) == engine.NotFound
	if err != nil && !missing {
		return Attempt{}, err
	}
	hash := account.Hash
	if missing || hash == "" {
		hash, missing = decoy, true
	}
	ok, err := VerifyPassword(ctx, hash, password)
	if err != nil || !ok || missing {
		return Attempt{}, err
	}
	g.byIP.Succeeded(byIP)
	g.byUser.Succeeded(byUser)
	return Attempt{Account: account, OK: true}, nil
}

// AddressKey is what an address is limited by: itself, or for IPv6 its /64,
// which is what one host can move about in.
func AddressKey(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
