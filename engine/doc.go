// Package engine is hexad's vocabulary: the types that its parts exchange, with
// their shapes, units, error codes and validation. It has no behaviour over
// time and imports nothing but the standard library.
package engine
