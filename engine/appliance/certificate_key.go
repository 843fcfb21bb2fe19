package appliance

import (
	"context"
	"slices"
	"time"

	"hexad/engine"
)

// tellTime is how long the members may take to be told of a key.
const tellTime = 3 * time.Second

// tellKey makes the key that this peer shows the one that the members know it by.
// Until then they accept it for what the key before says of it (link.Succeed), so it
// may come late: after a crash, or once the cluster database can commit.
func (c certificates) tellKey(ctx context.Context) {
	id, shown := c.a.identity.now().Node, c.a.link.Credentials().Fingerprint()
	members := c.a.cluster.Agreed().Members
	i := slices.IndexFunc(members, func(m engine.Member) bool { return m.Node == id })
	if i < 0 || members[i].Fingerprint == shown {
		return
	}
	ctx, stop := context.WithTimeout(ctx, tellTime)
	defer stop()
	if err := c.a.store.PutMemberKey(ctx, id, shown); err != nil {
		c.a.log.Info("the new key is in use; the members are told of it when the cluster database can commit", "module", "security", "err", err)
	}
}
