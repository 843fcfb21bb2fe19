package fail

// Names are all points, each after the durable effect that it is named for.
// Who adds a point adds its name here.
var Names = []string{
	"fail.test", // of this package's test
}
