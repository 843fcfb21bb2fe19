package sqlstore

import "time"

// HeartbeatTimeout is how long a leader may be silent before this peer stands for election.
func (c *Cluster) HeartbeatTimeout() time.Duration {
	s, err := c.current()
	if err != nil {
		return 0
	}
	return s.raft.ReloadableConfig().HeartbeatTimeout
}
