package appliance

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"

	"hexad/engine"
	"hexad/sqlstore"
)

// keyring seals and opens the secrets of cluster.db with its data keys, as far
// as they were wrapped for this peer's system key. What was sealed before there
// were data keys opens with a key that is made of the cluster secret.
type keyring struct {
	rows   func(context.Context) (sqlstore.DataKeys, error)
	unwrap func(number int64, wrapped string) ([]byte, error)
	public func() string
	secret func() []byte
	kept   func(context.Context) []keptKey // in local.db, while a new system key is not announced; may be nil

	mu     sync.Mutex
	held   map[int64]heldKey
	missed bool // a secret needed a key that is not held
}

// heldKey is a data key that could be unwrapped. Its proof tells it from
// another cluster's of the same number.
type heldKey struct {
	proof  string
	key    []byte
	sealer *sqlstore.Sealer
}

// keptKey is a data key as local.db keeps it.
type keptKey struct {
	Number int64  `json:"number"`
	Key    []byte `json:"key"`
}

// newKeyring makes the keyring of one peer; the rows come from its copy of cluster.db.
func newKeyring(local *sqlstore.Local, secret func() []byte, rows func(context.Context) (sqlstore.DataKeys, error)) *keyring {
	return &keyring{rows: rows, unwrap: local.Unwrap, public: local.PublicKey, secret: secret, held: map[int64]heldKey{}}
}

// load reads which data keys there are and holds those that it can unwrap. One
// that is held stays, whatever becomes of this peer's system key.
func (k *keyring) load(ctx context.Context) (sqlstore.DataKeys, error) {
	rows, err := k.rows(ctx)
	if err != nil {
		return rows, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	held := map[int64]heldKey{}
	for _, row := range rows.Keys {
		if h, ok := k.held[row.Number]; ok && h.proof == row.Proof {
			held[row.Number] = h
		} else if h, ok := k.find(ctx, row); ok {
			held[row.Number] = h
		}
	}
	k.held = held
	return rows, nil
}

// find unwraps a data key, or takes it from where it is kept.
func (k *keyring) find(ctx context.Context, row sqlstore.DataKey) (heldKey, bool) {
	var candidates []keptKey
	if wrapped, ok := row.Wraps[k.public()]; ok {
		if key, err := k.unwrap(row.Number, wrapped); err == nil {
			candidates = append(candidates, keptKey{row.Number, key})
		}
	}
	if len(candidates) == 0 && k.kept != nil {
		candidates = k.kept(ctx)
	}
	for _, c := range candidates {
		if c.Number != row.Number {
			continue
		}
		if sealer, err := row.Proved(c.Key); err == nil {
			return heldKey{row.Proof, c.Key, sealer}, true
		}
	}
	return heldKey{}, false
}

// all are the keys that are held, to be kept in local.db.
func (k *keyring) all() []keptKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []keptKey
	for _, number := range slices.Sorted(maps.Keys(k.held)) {
		out = append(out, keptKey{number, k.held[number].key})
	}
	return out
}

// hold takes up a data key that was made here.
func (k *keyring) hold(row sqlstore.DataKey, key []byte) error {
	sealer, err := row.Proved(key)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[row.Number] = heldKey{row.Proof, key, sealer}
	return nil
}

func (k *keyring) get(number int64) (heldKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.held[number]
	return h, ok
}

// wraps are the held keys wrapped for a public part that lacks them.
func (k *keyring) wraps(rows sqlstore.DataKeys, public string) ([]sqlstore.Wrapping, error) {
	var out []sqlstore.Wrapping
	for _, row := range rows.Keys {
		h, ok := k.get(row.Number)
		if row.Wraps[public] != "" || !ok || h.proof != row.Proof {
			continue
		}
		wrapped, err := sqlstore.Wrap(row.Number, public, h.key)
		if err != nil {
			return nil, err
		}
		out = append(out, sqlstore.Wrapping{Number: row.Number, Public: public, Wrapped: wrapped})
	}
	return out, nil
}

// takeMissed reports, once, whether a secret needed a key that is not held.
func (k *keyring) takeMissed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	missed := k.missed
	k.missed = false
	return missed
}

// older seals as it was done before there were data keys.
func (k *keyring) older() (*sqlstore.Sealer, error) {
	secret := k.secret()
	if len(secret) == 0 {
		return nil, &engine.Error{Code: engine.Unavailable, Message: "the cluster secret of this system is lost", Err: sqlstore.ErrKey, Remedy: "see alarm 40055"}
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "hexad cluster configuration secrets", sqlstore.KeySize)
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "the key of the cluster's secrets cannot be derived", Err: err}
	}
	return sqlstore.NewSealer(key)
}

// Seal seals plain for domain with the present data key. It reads which one
// that is each time: a key that is older than this copy knows has no rows any more.
//
// Errors: Unavailable when this peer cannot unwrap it, or has no copy.
func (k *keyring) Seal(domain string, plain []byte) (string, error) {
	rows, err := k.load(context.Background())
	if err != nil {
		return "", err
	}
	present := rows.Present()
	if present == nil {
		s, err := k.older()
		if err != nil {
			return "", err
		}
		return s.Seal(domain, plain), nil
	}
	h, ok := k.get(present.Number)
	if !ok {
		return "", notHeld(present.Number)
	}
	return h.sealer.Seal(domain, plain), nil
}

func notHeld(number int64) error {
	e := engine.Errorf(engine.Unavailable, "data key %d of the cluster is not wrapped for this system", number)
	e.Err, e.Remedy = sqlstore.ErrKey, "see alarms 40055 and 20011"
	return e
}

// Open opens what a member sealed.
//
// Errors: Unavailable with ErrKey; Invalid (no sealed text).
func (k *keyring) Open(domain, sealed string) ([]byte, error) {
	number, is := sqlstore.SealedWith(sealed)
	if is && number > 0 {
		return k.open(number, domain, sealed)
	}
	s, err := k.older()
	if err != nil {
		return nil, err
	}
	return s.Open(domain, sealed)
}

func (k *keyring) open(number int64, domain, sealed string) ([]byte, error) {
	if h, ok := k.get(number); ok {
		if plain, err := h.sealer.Open(domain, sealed); err == nil {
			return plain, nil
		}
	}
	if _, err := k.load(context.Background()); err != nil { // the copy may have moved on
		return nil, err
	}
	h, ok := k.get(number)
	if !ok {
		k.mu.Lock()
		k.missed = true
		k.mu.Unlock()
		return nil, notHeld(number)
	}
	return h.sealer.Open(domain, sealed)
}
