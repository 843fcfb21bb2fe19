package link

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// TokenLife is how long a join token can be used. Source: design 4.
const TokenLife = 60 * time.Minute

// maxTokens is how many join tokens wait to be used at once.
const maxTokens = 16

const (
	tokenPrefix = "hexad1-"
	tokenHalf   = 16 // bytes: of the primary's fingerprint, then of secret
)

var tokenForm = base32.StdEncoding.WithPadding(base32.NoPadding)

// JoinToken is a text that an administrator carries from the primary to the
// joiner. It names the primary's key and holds a secret, so that neither side
// can be stood in for at first contact.
type JoinToken struct {
	Text    string
	Expires time.Time
}

// Tokens are the join tokens that this peer issued and that can still be used.
// They rest in memory only: a restart ends them. Safe for concurrent use.
type Tokens struct {
	mu   sync.Mutex
	open []*issued
}

type issued struct {
	secret  []byte
	expires time.Time
	inUse   bool
}

// Issue makes a token for the primary whose key has the given fingerprint.
//
// Errors: Exhausted (too many wait to be used), Invalid (no fingerprint).
func (t *Tokens) Issue(fingerprint string) (JoinToken, error) {
	key, err := hex.DecodeString(fingerprint)
	if err != nil || len(key) != sha256.Size {
		return JoinToken{}, engine.Errorf(engine.Invalid, "%q is no fingerprint", fingerprint)
	}
	secret := make([]byte, tokenHalf)
	rand.Read(secret)
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	if len(t.open) >= maxTokens {
		return JoinToken{}, engine.Errorf(engine.Exhausted, "%d join tokens wait to be used", maxTokens).
			With("", "use one of them or revoke them")
	}
	e := &issued{secret: secret, expires: now.Add(TokenLife)}
	t.open = append(t.open, e)
	return JoinToken{Text: tokenPrefix + tokenForm.EncodeToString(append(key[:tokenHalf:tokenHalf], secret...)), Expires: e.expires.UTC()}, nil
}

// Revoke ends every token.
func (t *Tokens) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = nil
}

// Waiting counts the tokens that can still be used.
func (t *Tokens) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(time.Now())
	return len(t.open)
}

// Redeem finds the token that proof was made with for message, and holds it.
// done(true) uses it up, done(false) lets it be used again.
func (t *Tokens) Redeem(proof, message []byte) (done func(joined bool), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(time.Now())
	for _, e := range t.open {
		if e.inUse || !hmac.Equal(proof, prove(e.secret, message)) {
			continue
		}
		e.inUse = true
		return func(joined bool) { t.done(e, joined) }, true
	}
	return nil, false
}

func (t *Tokens) done(e *issued, joined bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.inUse = false
	if joined {
		t.open = slices.DeleteFunc(t.open, func(o *issued) bool { return o == e })
	}
}

func (t *Tokens) expire(now time.Time) {
	t.open = slices.DeleteFunc(t.open, func(e *issued) bool { return !now.Before(e.expires) })
}

// heldToken is a token as the joiner holds it.
type heldToken struct {
	primary string // first half of the primary's fingerprint, lower-case hex
	secret  []byte
}

// CheckToken reports whether text has the form of a join token.
//
// Errors: Invalid.
func CheckToken(text string) error {
	_, err := parseToken(text)
	return err
}

func parseToken(text string) (heldToken, error) {
	clean := strings.ToUpper(strings.Join(strings.Fields(text), ""))
	rest, ok := strings.CutPrefix(clean, strings.ToUpper(tokenPrefix))
	b, err := tokenForm.DecodeString(rest)
	if !ok || err != nil || len(b) != 2*tokenHalf {
		return heldToken{}, engine.Errorf(engine.Invalid, "this is not a join token").
			With("Join token", "copy the whole text that the primary shows; it begins with "+tokenPrefix)
	}
	return heldToken{primary: hex.EncodeToString(b[:tokenHalf]), secret: b[tokenHalf:]}, nil
}

// Prove makes the proof that the holder of the token sends for message.
//
// Errors: Invalid (no token).
func Prove(text string, message []byte) ([]byte, error) {
	t, err := parseToken(text)
	if err != nil {
		return nil, err
	}
	return prove(t.secret, message), nil
}

func prove(secret, message []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(message)
	return m.Sum(nil)
}
