package appliance

import (
	"context"
	"strconv"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
	"hexad/engine/cluster"
)

// alarmGrace is how long an alarm that was raised before a restart stays
// listed when nothing raises it again: contact with the peers is judged by then.
const alarmGrace = 3 * time.Second

// board is the alarms table of cluster.db.
type board struct{ a *appliance }

func (b board) PublishAlarms(ctx context.Context, node string, own []engine.RaisedAlarm) error {
	if e := b.a.storeErr.Load(); e != nil {
		return e
	}
	err := b.a.store.PublishAlarms(ctx, node, own)
	b.a.wrote(err)
	if err != nil {
		return err
	}
	return b.forget(ctx)
}

// forget lets local.db drop the rows of alarms that were lowered: the other
// peers know now.
func (b board) forget(ctx context.Context) error {
	sent, err := b.a.local.UnpublishedAlarms(ctx)
	if err != nil || len(sent) == 0 {
		return err
	}
	return b.a.local.AlarmsPublished(ctx, sent[len(sent)-1].Sequence)
}

// PublishedAlarms are none while the database has failed: that has an alarm of
// its own, which must be shown.
func (b board) PublishedAlarms(ctx context.Context) ([]engine.RaisedAlarm, error) {
	if b.a.storeErr.Load() != nil {
		return nil, nil
	}
	return b.a.store.PublishedAlarms(ctx)
}

// alarms takes the conditions of clustering.
type alarms struct{ a *appliance }

func (c alarms) Reconcile(ctx context.Context, source string, conditions []cluster.Condition) {
	list := make([]alarm.Condition, len(conditions))
	for i, x := range conditions {
		list[i] = alarm.Condition{ID: x.ID, Key: x.Key, Params: x.Params}
	}
	c.a.tracker.Reconcile(ctx, source, list)
}

func (c alarms) Settle(ctx context.Context, ids []int) { c.a.tracker.Settle(ctx, ids) }

// kind is the catalogue entry of an alarm; an unknown ID has no texts.
func kind(id int) engine.Alarm {
	k, ok := alarm.Kind(id)
	if !ok {
		k = engine.Alarm{ID: id, Severity: engine.Warning, Title: engine.Text{EN: "Alarm " + strconv.Itoa(id), JA: "アラーム " + strconv.Itoa(id)}}
	}
	return k
}

// crashAlarmFor is how long a system must have run before the alarm of a
// crash is lowered.
const crashAlarmFor = 10 * time.Minute

// alarmResetFailed is raised when an armed factory reset was not carried out.
const alarmResetFailed = 15013

// noteReset raises 15013 when a factory reset failed, and lowers it when the
// reset is no longer armed.
func (a *appliance) noteReset(ctx context.Context) error {
	if a.o.ResetFailed == "" {
		return nil
	}
	watch := a.cluster.Watch(ctx)
	for {
		if a.cluster.View(ctx).Reset == nil {
			a.tracker.Lower(ctx, alarmResetFailed, "")
			return nil
		}
		a.tracker.Set(ctx, alarmResetFailed, "", true, map[string]string{"detail": a.o.ResetFailed})
		select {
		case <-ctx.Done():
			return nil
		case <-watch:
		}
	}
}

// noteCrash raises 15004 when the process before this one ended by itself.
func (a *appliance) noteCrash(ctx context.Context) {
	if a.o.Crashes == 0 {
		return
	}
	a.tracker.Raise(ctx, alarmApplication, "", map[string]string{"module": "hexad", "detail": a.o.Cause, "count": strconv.Itoa(a.o.Crashes)})
	time.AfterFunc(crashAlarmFor, func() { a.tracker.Lower(context.WithoutCancel(ctx), alarmApplication, "") })
}
