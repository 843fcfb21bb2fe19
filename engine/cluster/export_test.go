package cluster

import "hexad/engine"

// VersionOf is the version under which facts travel.
func VersionOf(f engine.Facts) string {
	still, _ := cutFacts(f)
	return versionOf(still)
}
