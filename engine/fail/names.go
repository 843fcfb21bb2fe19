package fail

// Names are all points, each after the durable effect that it is named for.
// Who adds a point adds its name here.
var Names = []string{
	"fail.test", // of this package's test

	// Another primary by force: sqlstore, in this order.
	"refound.old-closed", "refound.file", "refound.bootstrapped", "refound.filled", "refound.marked", "refound.committed",

	// Following another generation, and ForceConfigUpdate: engine/cluster, engine/appliance, sqlstore.
	"force.aside", "force.held", "follow.emptying", "follow.switched", "follow.committed",
}
