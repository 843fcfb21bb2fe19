package fail

// Names are all points, each after the durable effect that it is named for.
// Who adds a point adds its name here.
var Names = []string{
	"fail.test", // of this package's test

	// Another primary by force: sqlstore, in this order.
	"refound.old-closed", "refound.file", "refound.bootstrapped", "refound.filled", "refound.marked", "refound.committed",

	// Following another generation, and ForceConfigUpdate: engine/cluster, engine/appliance, sqlstore.
	"force.aside", "force.held", "follow.emptying", "follow.switched", "follow.committed",

	// The procedures of a cluster: engine/cluster.
	"page.stored", "primary.named", "tls.saved", "join.adopted", "admit.member", "admit.server", "remove.server", "remove.member",

	// Guided procedures: engine/procedure, after each change of the record.
	"procedure.kept",

	// A factory reset: engine/cluster; between two children, engine/appliance.
	"reset.asked", "reset.armed", "reset.marked", "reset.emptied", "reset.removed",

	// The system key of a peer: sqlstore, engine/appliance.
	"systemkey.next", "systemkey.resealed", "systemkey.placed", "systemkey.announced", "systemkey.heard",

	// The key of a peer's certificate: engine/appliance.
	"key.kept", "key.shown",

	// The data keys of a cluster: engine/appliance.
	"datakey.made", "datakey.wrapped", "datakey.resealed",

	// Removing the cluster database: asked for by the child; between two children, engine/appliance.
	"purge.asked", "purge.copied", "purge.emptied", "purge.moved",

	// A restore: prepared by the child; between two children, engine/appliance.
	"restore.prepared", "restore.staged", "restore.moving", "restore.move", "restore.placing", "restore.trial", "restore.kept",
	"restore.clearing", "restore.returning", "restore.failed",
}
