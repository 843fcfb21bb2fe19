package alarm

import (
	"context"

	"hexad/engine"
)

// Marks is what the rules made of raised alarms, in cluster.db.
type Marks interface {
	// AlarmMarks returns all of them, from this peer's copy.
	AlarmMarks(ctx context.Context) ([]engine.AlarmMark, error)
	// PutAlarmMarks stores and removes marks. It fails while cluster.db cannot
	// be written; sending the same again is harmless.
	PutAlarmMarks(ctx context.Context, put, drop []engine.AlarmMark) error
}

// occurrence is what makes one raised alarm of any peer.
type occurrence struct {
	node string
	id   int
	key  string
}

func occurrenceOf(a engine.RaisedAlarm) occurrence { return occurrence{a.Node, a.ID, a.Key} }

func markedOccurrence(m engine.AlarmMark) occurrence { return occurrence{m.Node, m.ID, m.Key} }

// marked attaches the marks to the alarms: those that this peer could not
// write yet come before those of cluster.db, and one of an earlier occurrence
// counts for nothing. Without cluster.db the alarms stay unmarked.
func (t *Tracker) marked(ctx context.Context, all []engine.RaisedAlarm) []engine.RaisedAlarm {
	if t.marks == nil {
		return all
	}
	known := map[occurrence]engine.AlarmMark{}
	stored, err := t.marks.AlarmMarks(ctx)
	if err != nil {
		t.log.Debug("marks of alarms not read", "err", err)
	}
	for _, m := range stored {
		known[markedOccurrence(m)] = m
	}
	t.mu.Lock()
	for o, m := range t.unwritten {
		known[o] = m
	}
	t.mu.Unlock()
	for i, a := range all {
		if m, ok := known[occurrenceOf(a)]; ok && m.First.Equal(a.First) && !m.Empty() {
			all[i].Mark = &m
		}
	}
	return all
}

// suggestions are the procedures that a rule may suggest beside an alarm, for
// people; another word is shown as it is.
var suggestions = map[string]engine.Text{
	"restart":             t("Restart that peer", "そのピアを再起動する"),
	"force_config_update": t("Take the primary's configuration over: xCommand ForceConfigUpdate on that peer", "プライマリの設定を取得する: そのピアで xCommand ForceConfigUpdate を実行する"),
	"resync":              t("Take the primary's configuration over: xCommand ForceConfigUpdate on that peer", "プライマリの設定を取得する: そのピアで xCommand ForceConfigUpdate を実行する"),
	"change_primary":      t("Name another configuration primary on the clustering page", "クラスタリングのページで別の設定プライマリを指定する"),
	"remove_peer":         t("Take that peer off the peer list of the primary", "プライマリのピアリストからそのピアを外す"),
	"add_peer":            t("Put that peer on the peer list of the primary again", "プライマリのピアリストにそのピアを再び追加する"),
	"factory_reset":       t("Reset that peer: clear its clustering page and restart it", "そのピアをリセットする: クラスタリングのページを空にして再起動する"),
	"tls_mode":            t("Change the TLS verification mode on the clustering page of the primary", "プライマリのクラスタリングのページで TLS 検証モードを変更する"),
}

// Suggestion says what a procedure that the rules suggest is.
func Suggestion(procedure string, l engine.Language) string {
	if text, known := suggestions[procedure]; known {
		return text.In(l, nil)
	}
	return procedure
}
