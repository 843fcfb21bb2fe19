package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime/debug"
	"strings"

	"golang.org/x/crypto/argon2"

	"hexad/engine"
)

// Cost of one hashing. Source: reference/console.md section 4 (RFC 9106,
// second recommended option with 4 lanes).
const (
	hashMemory  = 64 << 10 // KiB
	hashPasses  = 3
	hashLanes   = 4
	hashSalt    = 16 // bytes
	hashLength  = 32 // bytes
	maxPassword = 1024
)

// Bounds on what VerifyPassword will do for a stored string, so that a damaged
// row cannot ask for all memory.
const (
	maxHashMemory = 256 << 10 // KiB
	maxHashPasses = 16
)

// hashing admits two hashings at once: each takes 64 MiB.
var hashing = make(chan struct{}, 2)

// HashPassword returns the PHC string ($argon2id$v=19$m=…,t=…,p=…$salt$hash) of
// password with a fresh salt.
//
// Errors: Invalid (empty, or above 1024 bytes), Unavailable (ctx ended while
// two others were hashing).
func HashPassword(ctx context.Context, password string) (string, error) {
	if password == "" || len(password) > maxPassword {
		return "", engine.Errorf(engine.Invalid, "a password has 1 to %d bytes", maxPassword).
			With("Password", "choose another password")
	}
	salt := make([]byte, hashSalt)
	rand.Read(salt) // never fails: crypto/rand ends the process instead
	p := phc{memory: hashMemory, passes: hashPasses, lanes: hashLanes, salt: salt}
	sum, err := p.derive(ctx, password, hashLength)
	if err != nil {
		return "", err
	}
	p.sum = sum
	return p.String(), nil
}

// VerifyPassword reports whether password is the one that hash was made from.
//
// Errors: Internal (hash is no argon2id PHC string), Unavailable (as for
// HashPassword). A password that is too long is just wrong.
func VerifyPassword(ctx context.Context, hash, password string) (bool, error) {
	p, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	if len(password) > maxPassword {
		return false, nil
	}
	sum, err := p.derive(ctx, password, len(p.sum))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, p.sum) == 1, nil
}

// phc is a parsed PHC string.
type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

func (p phc) String() string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.memory, p.passes, p.lanes, b.EncodeToString(p.salt), b.EncodeToString(p.sum))
}

func (p phc) derive(ctx context.Context, password string, length int) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, &engine.Error{Code: engine.Unavailable, Message: "error.busy", Err: ctx.Err()}
	}
	defer func() { <-hashing }()
	// What was hashed in is as large as everything else together. It goes back
	// to the system at once, or the collector would let all of it grow as much again.
	defer debug.FreeOSMemory()
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(length)), nil
}

func parsePHC(s string) (phc, error) {
	var p phc
	bad := &engine.Error{Code: engine.Internal, Message: "the stored password hash cannot be read",
		Remedy: "set the password again in the shell"}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, bad
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil || n != 3 {
		return p, bad
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	p.sum, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(p.salt) < 8 || len(p.sum) < 16 || len(p.sum) > 64 ||
		p.memory > maxHashMemory || p.passes < 1 || p.passes > maxHashPasses || p.lanes < 1 {
		return p, bad
	}
	return p, nil
}
