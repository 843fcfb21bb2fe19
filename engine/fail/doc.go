// Package fail stops, delays or breaks this process at a named place, for the
// tests that show what a crash there leaves behind.
//
// One point stands after every durable effect of a procedure:
//
//	if err := fail.Point("refound.marked"); err != nil {
//		return err
//	}
//
// Point does nothing unless the program was built with the tag failpoints. In
// such a build the environment arms points by name; several are separated by commas:
//
//	HEXAD_FAIL="refound.marked=kill,force.adopted=sleep:2s"
//
//	kill       ends this process with SIGKILL
//	panic      panics
//	sleep:2s   waits, then goes on
//	error      makes Point return an error
//	…@3        only the third time that the point is reached
//
// A child that ended by itself is started again unarmed (engine/appliance), so
// a kill shows the state that it leaves. Names lists the points; the test of
// this package compares the list with the source.
package fail

// Env is the environment variable that arms points.
const Env = "HEXAD_FAIL"
