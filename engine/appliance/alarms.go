package appliance

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
	"hexad/engine/cluster"
	"hexad/engine/event"
	"hexad/engine/host"
)

// alarmGrace is how long an alarm that was raised before a restart stays
// listed when nothing raises it again. It is longer than contact with a peer that
// never answered takes to be judged, so that an alarm which still holds does not
// flicker; what is known to be over is lowered earlier.
const alarmGrace = 6 * time.Second

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

// AlarmMarks are none while the database has failed.
func (b board) AlarmMarks(ctx context.Context) ([]engine.AlarmMark, error) {
	if b.a.storeErr.Load() != nil {
		return nil, nil
	}
	return b.a.store.AlarmMarks(ctx)
}

func (b board) PutAlarmMarks(ctx context.Context, put, drop []engine.AlarmMark) error {
	if e := b.a.storeErr.Load(); e != nil {
		return e
	}
	return b.a.store.PutAlarmMarks(ctx, put, drop)
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

// remedy is what an administrator does about an alarm, "" for one that there is not.
func remedy(id int) string {
	k, _ := alarm.Kind(id)
	return k.Remedy.EN
}

// crashAlarmFor is how long a system must have run before the alarm of a
// crash is lowered.
const crashAlarmFor = 10 * time.Minute

// noteCrash raises 15004 when the process before this one ended by itself.
func (a *appliance) noteCrash(ctx context.Context) {
	noteCrash(ctx, a.tracker, a.o.Crashes, a.o.Cause)
}

// raiser is a tracker of alarms.
type raiser interface {
	Raise(ctx context.Context, id int, key string, params map[string]string)
	Lower(ctx context.Context, id int, key string)
}

func noteCrash(ctx context.Context, t raiser, crashes int, cause string) {
	if crashes == 0 {
		return
	}
	t.Raise(ctx, alarmApplication, "", map[string]string{"module": "hexad", "detail": cause, "count": strconv.Itoa(crashes)})
	lower := time.AfterFunc(crashAlarmFor, func() { t.Lower(ctx, alarmApplication, "") })
	context.AfterFunc(ctx, func() { lower.Stop() })
}

// printAlarm writes the line of an alarm where no journal runs.
func printAlarm(out io.Writer, format string, id int, raised bool, detail string) {
	kind, ok := alarm.Kind(id)
	if !ok {
		return
	}
	name, text := "Alarm Lowered", kind.Title.EN
	if raised {
		name = "Alarm Raised"
	}
	if detail != "" {
		text += ": " + detail
	}
	line := event.Named("alarm", name, text,
		engine.Field{Name: "Id", Value: strconv.Itoa(id)}, engine.Field{Name: "UUID", Value: kind.UUID}, engine.Field{Name: "Severity", Value: string(kind.Severity)})
	line.Time, line.Level = time.Now(), "WARN"
	if event.Format(format) == event.JSONFormat {
		fmt.Fprintln(out, event.JSON(line, host.HostName()))
		return
	}
	fmt.Fprintln(out, event.Line(line, host.HostName(), time.Local, os.Getpid()))
}
