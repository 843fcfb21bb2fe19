// Package appliance assembles one peer: it opens the parts in order, connects
// them, runs them together and closes them in reverse. It is the one package
// beside main that knows every other; it decides nothing.
//
//	options.go    what a process is told
//	supervise.go  the parent: restarts, crashes, resets between two children
//	appliance.go  the child: the parts opened, connected, run
//	…             one file for each pair of parts that it connects
package appliance
