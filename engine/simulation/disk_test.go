package simulation_test

import (
	"context"
	"maps"
	"slices"
	"syscall"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// identity is who a machine is, as local.db keeps it.
type identity struct {
	Node       string
	Cluster    string
	Generation engine.Generation
	Standalone bool
}

// alarmKey names one alarm of a machine.
type alarmKey struct {
	id  int
	key string
}

// disk is what a machine keeps: local.db and the directories of cluster.db, one
// for each generation that it was of.
//
// The page, the identity and the members are on disk when their write returns;
// alarms are there soon after, and a power cut takes the newest.
type disk struct {
	full, broken bool
	slow         time.Duration

	page     cluster.Page
	identity identity
	members  []engine.Member
	removed  map[string]engine.Member
	alarms   map[alarmKey]engine.RaisedAlarm
	synced   map[alarmKey]engine.RaisedAlarm // what a power cut leaves of them
	dirs     map[string]*directory           // by generation id
	aside    []*state                        // copies that were replaced
	image    bool                            // a factory reset can be carried out
	resets   int
}

// trouble is why the disk takes no write now. w.mu is held.
func (d *disk) trouble() error {
	switch {
	case d.broken:
		return syscall.EIO
	case d.full:
		return syscall.ENOSPC
	}
	return nil
}

// write makes a synced change of local.db. A process that ends meanwhile leaves
// it done or not done, as the dice fall.
func (p *process) write(change func(*disk)) error {
	if !p.gate() {
		return errGone
	}
	w, d := p.w, &p.m.disk
	w.mu.Lock()
	err, slow := d.trouble(), d.slow
	w.mu.Unlock()
	if err != nil {
		return &engine.Error{Code: engine.Unavailable, Message: "local.db was not written", Err: err}
	}
	if slow > 0 {
		time.Sleep(slow)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := d.trouble(); err != nil && !p.dead {
		return &engine.Error{Code: engine.Unavailable, Message: "local.db was not written", Err: err}
	}
	if p.dead && (p.m.proc != nil || w.dice.IntN(2) == 0) {
		return errGone // a later run of the process has read the disk already
	}
	change(d)
	d.synced = maps.Clone(d.alarms)
	if p.dead {
		return errGone
	}
	return nil
}

// powerCut takes what was not synced.
func (d *disk) powerCut() {
	d.alarms = maps.Clone(d.synced)
	for _, dir := range d.dirs {
		dir.powerCut()
	}
}

// pages keeps the clustering page.
type pages struct{ p *process }

func (s pages) Page(context.Context) (cluster.Page, error) {
	s.p.w.mu.Lock()
	defer s.p.w.mu.Unlock()
	return s.p.m.disk.page, nil
}

func (s pages) PutPage(_ context.Context, page cluster.Page) error {
	return s.p.write(func(d *disk) {
		s.p.w.resets.landed(s.p.m, d.page, page)
		d.page = page
	})
}

// alarmRows keeps the alarms of a machine.
type alarmRows struct{ p *process }

func (s alarmRows) OwnAlarms(context.Context) ([]engine.RaisedAlarm, error) {
	s.p.w.mu.Lock()
	defer s.p.w.mu.Unlock()
	return slices.Collect(maps.Values(s.p.m.disk.alarms)), nil
}

func (s alarmRows) PutAlarm(_ context.Context, a engine.RaisedAlarm) error {
	return s.change(func(d *disk) { d.alarms[alarmKey{a.ID, a.Key}] = a })
}

func (s alarmRows) DeleteAlarm(_ context.Context, id int, key string) error {
	return s.change(func(d *disk) { delete(d.alarms, alarmKey{id, key}) })
}

func (s alarmRows) change(change func(*disk)) error {
	if !s.p.gate() {
		return errGone
	}
	s.p.w.mu.Lock()
	defer s.p.w.mu.Unlock()
	if s.p.dead {
		return errGone
	}
	if err := s.p.m.disk.trouble(); err != nil {
		return err
	}
	change(&s.p.m.disk)
	return nil
}
