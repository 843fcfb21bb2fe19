package console_test

import "testing"

// The fingerprint beside the button is that of the key that would be accepted,
// and the button accepts no other.
func TestChangedKeyShowsTheOfferedFingerprint(t *testing.T) {
	t.Parallel()
	_, page := signedIn(t, start(t, newAppliance()), "admin").get("/clustering")
	holds(t, page, `<code class="wrap">cdcdcdcd</code></span>`)
	holds(t, page, `name="fingerprint" value="cdcdcdcd"`)
}

// The overview shows the SSH host key, to compare before it is trusted.
func TestOverviewShowsTheHostKey(t *testing.T) {
	t.Parallel()
	_, page := signedIn(t, start(t, newAppliance()), "admin").get("/")
	holds(t, page, `<code class="wrap">SHA256:hostkey</code>`)
}
