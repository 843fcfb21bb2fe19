//go:build hexad_policyapi0

package policy

// NewestAPI of a release that knows no scripts of a site: tests of a cluster
// whose peers know different versions run with it.
const NewestAPI = 0
