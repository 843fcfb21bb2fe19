//go:build !hexad_policyapi0

package policy

// NewestAPI is the newest API version that scripts of a site may use here.
const NewestAPI = 1
