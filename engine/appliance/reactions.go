package appliance

import (
	"context"

	"hexad/engine"
	"hexad/engine/alarm"
)

// newReactor makes what asks the rules about alarms; the clustering is there.
func (a *appliance) newReactor() {
	a.reactor = alarm.NewReactor(alarm.ReactorOptions{
		Tracker: a.tracker, Marks: board{a}, Scope: a.alarmScope, Procedure: a.cluster.Procedure, Revision: func() int64 { return a.policies.Revision() },
		Ask: func(ctx context.Context, in engine.AlarmRequest) engine.AlarmReaction {
			s := a.cluster.Situation()
			in.Self, in.Cluster = s.Self, s.Cluster
			return a.policies.ReactToAlarm(ctx, in)
		},
	})
}

// alarmScope is whose alarms this peer asks about: everybody's on the primary,
// its own where the primary has been out of reach for a while.
func (a *appliance) alarmScope() alarm.Scope {
	switch {
	case a.cluster.PrimaryHere():
		return alarm.EveryAlarm
	case a.cluster.PrimaryAway():
		return alarm.OwnAlarms
	}
	return alarm.Nobody
}
