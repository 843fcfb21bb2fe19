//go:build !failpoints

package fail

// Armable reports whether this build knows failpoints.
const Armable = false

// Point does nothing in this build.
func Point(string) error { return nil }
