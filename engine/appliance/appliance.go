package appliance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
	"hexad/engine/cluster"
	"hexad/engine/config"
	"hexad/engine/event"
	"hexad/engine/h323"
	"hexad/engine/host"
	"hexad/engine/link"
	"hexad/engine/policy"
	"hexad/engine/procedure"
	"hexad/sqlstore"
	"hexad/ui/command"
	"hexad/ui/console"
	"hexad/ui/shell"
	"hexad/ui/signin"
	"hexad/ui/ssh"
)

// appliance is one running peer.
type appliance struct {
	o       Options
	log     *slog.Logger
	started time.Time
	stdout  io.Writer

	local       *sqlstore.Local
	identity    *identity
	registry    *config.Registry
	policies    *policy.Policies
	lifecycle   *policy.Lifecycle
	releases    *releases
	journal     *event.Journal
	resolver    *host.Resolver
	procedures  *procedure.Runner
	clock       *host.NTP
	dns         atomic.Pointer[engine.DNSFacts]
	trusted     atomic.Pointer[link.Trust]
	tracker     *alarm.Tracker
	reactor     *alarm.Reactor
	directory   *directory
	peers       *peerLink
	link        *link.Link
	store       *store
	keys        *keys
	config      *config.Service
	cluster     *cluster.Service
	answers     http.Handler // of the peer link
	recovery    http.Handler // to members of any generation
	watch       *h323.Watch
	table       *command.Table
	shell       *shell.Server
	console     *console.Server
	lines       event.Lines
	changes     changes
	pending     restartItems
	mapping     mapping
	stall       stall
	maintenance maintenance
	space       *space
	audits      *audit
	backups     backups
	applied     atomic.Uint64 // index of the last change in this copy
	revision    atomic.Int64  // newest revision whose lines were written
	storeErr    atomic.Pointer[engine.Error]
	unsettled   chan struct{} // the copy moved and has not caught up: see settle

	guard        *signin.Guard // of the passwords, at all faces
	ssh          *ssh.Server   // nil: there is no shell over SSH
	hostKeyPrint string        // its host key's fingerprint

	// spare is what this process uses instead of keys that it cannot open.
	spare struct {
		credentials sqlstore.Credentials
		hostKeys    []sqlstore.HostKey
	}

	mu     sync.Mutex
	offers map[string]string // address to the key that it showed instead of the pinned one

	restarting sync.Once
	endRush    func()     // of the memory of the start
	keyChange  sync.Mutex // one change of this peer's certificate at a time
	restart    chan struct{}
	closers    []func() error
}

// Serve runs one peer as the child of Supervise. It returns the exit status
// that tells the parent what to do next.
func Serve(ctx context.Context, o Options, stdout, stderr io.Writer) int {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a := &appliance{o: o, log: o.Log, started: time.Now(), stdout: stdout, restart: make(chan struct{}), unsettled: make(chan struct{}, 1), offers: map[string]string{}, endRush: rush()}
	a.space, a.backups = newSpace(a), backups{a, new(sync.Mutex)}
	defer a.close()
	if err := a.open(ctx); err != nil {
		fmt.Fprintf(stderr, "hexad: %v\n", err)
		if a.failedTrial(err) {
			return exitTrial
		}
		return a.fatal(err, stdout)
	}
	go func() {
		select {
		case <-a.restart:
			stop()
		case <-ctx.Done():
		}
	}()
	if err := a.run(ctx); err != nil {
		a.log.Error("a part of the appliance failed", "module", "management", "err", err)
		return 1
	}
	select {
	case <-a.restart:
		return exitRestart
	default:
		return exitStop
	}
}

// fatal says in the form of the event log what no part is there to say, and
// whether starting again could help.
func (a *appliance) fatal(err error, stdout io.Writer) int {
	switch {
	case errors.Is(err, sqlstore.ErrFull), errors.Is(err, sqlstore.ErrDisk):
		printAlarm(stdout, a.o.LogFormat, alarmDatabaseFailure, true, err.Error())
		return 1 // as soon as there is room again it starts
	case isLocalDamage(err):
		printAlarm(stdout, a.o.LogFormat, alarmLocalDatabase, true, err.Error())
		return exitFatal
	case isTaken(err):
		return exitFatal
	}
	switch engine.CodeOf(err) {
	case engine.Conflict, engine.Denied, engine.Invalid:
		return exitFatal
	}
	return 1
}

// isTaken reports whether an address or a port cannot be listened on: trying
// again without an end would hide that from whoever can help.
func isTaken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EACCES)
}

// open acquires everything in order; what fails before the administrator's
// faces are open ends the start.
func (a *appliance) open(ctx context.Context) error {
	if err := a.openLocal(ctx); err != nil {
		return err
	}
	account := make(chan error, 1)
	go func() { account <- a.firstAccount(ctx) }() // a password takes longer than all else
	err := a.openParts(ctx)
	if first := <-account; err == nil {
		err = first
	}
	if err != nil {
		return err
	}
	return a.openFaces(ctx)
}

// openParts opens all that lies between local.db and the answers to administrators.
func (a *appliance) openParts(ctx context.Context) error {
	if err := a.openRules(); err != nil {
		return err
	}
	a.keptCapacity(ctx)
	if err := a.openPeers(ctx); err != nil {
		return err
	}
	if err := a.openCluster(ctx); err != nil {
		return err
	}
	return a.onTrial(ctx)
}

// openLocal opens what works alone: local.db, the identity, the journal.
func (a *appliance) openLocal(ctx context.Context) (err error) {
	if a.registry, err = config.Load(); err != nil {
		return fmt.Errorf("load the registry of configuration items: %w", err)
	}
	a.local, err = sqlstore.OpenLocal(ctx, sqlstore.LocalOptions{Dir: a.o.DataDir, Logger: a.log, Release: a.o.Release, Secret: a.registry.Secret, WithoutKey: true})
	if err != nil {
		return err
	}
	a.closers = append(a.closers, a.local.Close)
	a.journal = event.New(event.Options{Host: a.hostName, Store: spared{a}, Out: a.stdout, Format: event.Format(a.o.LogFormat)})
	a.log = slog.New(event.NewHandler(a.journal))
	if a.identity, err = openIdentity(ctx, a.local); err != nil {
		return err
	}
	// Who asked for a reset and saw a crash instead asks again: it does not wait for another restart.
	if err := errors.Join(removeIfThere(filepath.Join(a.o.DataDir, resetAsked)), removeIfThere(filepath.Join(a.o.DataDir, purgeAsked))); err != nil {
		return fmt.Errorf("forget what was asked for: %w", err)
	}
	if err := installResetImage(a.o.DataDir); err != nil {
		a.log.Warn("no image for a factory reset", "module", "management", "err", err)
	}
	if err := a.endMaintenance(ctx); err != nil {
		return err
	}
	a.lines = event.Lines{FQDN: a.fqdn, HostName: a.peerName}
	return nil
}

// close releases what was opened, in reverse.
func (a *appliance) close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i](); err != nil {
			a.log.Debug("part not closed cleanly", "module", "management", "err", err)
		}
	}
}

// openPeers opens the link and the resolver below it.
func (a *appliance) openPeers(ctx context.Context) error {
	a.openHost()
	a.openMapping(ctx)
	a.tracker = alarm.New(alarm.Options{
		Node: func() string { return a.identity.now().Node }, Peer: func() string { return a.o.Address },
		Store: a.local, Board: board{a}, Marks: board{a}, Emit: a.journal.Emit, Log: a.log, Grace: alarmGrace,
	})
	credentials, err := a.credentials(ctx)
	if err != nil {
		return err
	}
	a.directory, a.peers = &directory{a: a}, &peerLink{a: a}
	if err := errors.Join(a.directory.open(ctx), a.peers.open(ctx)); err != nil {
		return err
	}
	a.link = link.New(link.Config{
		IP: a.ip(), Ports: link.Ports{Peer: a.o.LinkPort, Raft: a.o.DatabasePort}, Credentials: credentials,
		Directory: a.directory, Joins: a.peers, Handler: http.HandlerFunc(a.servePeer), Recovery: http.HandlerFunc(a.serveRecovery), Report: a.reported, Log: a.log.With("module", "link"),
	})
	a.openStore()
	a.keys = newKeys(a)
	a.newCluster()
	a.newLifecycle()
	a.newReactor()
	remote := func(ctx context.Context) (string, string) { return link.RemoteNode(ctx), link.RemoteIP(ctx) }
	a.answers, a.recovery = a.cluster.Handler(remote), a.cluster.RecoveryHandler(remote)
	if err := a.link.Open(ctx); err != nil {
		return err
	}
	a.closers = append(a.closers, a.link.Close, a.store.Close)
	return nil
}

// servePeer answers a member; the clustering is made after the link.
func (a *appliance) servePeer(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == policy.StagePath {
		a.serveStage(w, r)
		return
	}
	if r.Method == http.MethodPost && r.URL.Path == backupPath {
		a.serveBackup(w, r)
		return
	}
	a.answers.ServeHTTP(w, r)
}

// serveRecovery answers a member of any generation; as servePeer.
func (a *appliance) serveRecovery(w http.ResponseWriter, r *http.Request) { a.recovery.ServeHTTP(w, r) }

// openCluster opens the replicated half. A database that cannot be opened is
// an alarm and not the end: calls, console and shell go on without it.
func (a *appliance) openCluster(ctx context.Context) error {
	if err := a.tracker.Open(ctx); err != nil {
		return err
	}
	if err := a.startStore(ctx); err != nil {
		a.log.Error("cluster database not opened", "module", "clusterdb", "err", err)
		a.storeFailed(err)
	}
	if err := a.lifecycle.Follow(ctx); err != nil {
		a.log.Debug("policies not read", "module", "policy", "err", err) // again when the copy moves
	}
	a.reload(ctx)
	a.configured(ctx)
	if err := a.cluster.Open(ctx); err != nil {
		return err
	}
	a.keys.begin(ctx)
	a.reload(ctx)
	a.beginRestartItems(ctx)
	return nil
}

// Times of an end. Until facesTime is over the requests of administrators are
// finished while everything else still runs; a part that has not ended after
// partsTime is left behind, for the process ends.
const (
	facesTime = 5 * time.Second
	partsTime = 3 * time.Second
)

// run runs every part until ctx ends or one fails, then stops them all.
func (a *appliance) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	rest, stopRest := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRest()
	a.journal.Emit(event.Named("management", "System Start", "hexad "+a.o.Release))
	a.noteCrash(ctx)
	var failure atomic.Pointer[error]
	start := func(ctx context.Context, loops ...func(context.Context) error) <-chan struct{} {
		var wg sync.WaitGroup
		for _, loop := range loops {
			wg.Go(func() {
				if err := loop(ctx); err != nil {
					failure.CompareAndSwap(nil, &err)
					stop(err)
				}
			})
		}
		ended := make(chan struct{})
		go func() { wg.Wait(); close(ended) }()
		return ended
	}
	faces := start(ctx, a.shell.Run, a.console.Run, a.runSSH)
	parts := start(rest, a.link.Run, a.cluster.Run, a.tracker.Run, a.reactor.Run, a.resolver.Run, a.clock.Run, a.checkNames, a.watch.Run, a.policies.Run, a.lifecycle.Run, a.upkeep, a.reopen, a.giveBack,
		a.followConfiguration, a.audits.run, a.noteReset, a.stall.run, a.space.run, a.procedures.Run, certificates{a}.watch, a.keys.run, a.checkRecords, a.settle)
	// The journal outlives the parts, so that their last lines are written.
	journalCtx, endJournal := context.WithCancel(context.WithoutCancel(ctx))
	defer endJournal()
	var journal sync.WaitGroup
	journal.Go(func() { _ = a.journal.Run(journalCtx) })
	<-ctx.Done()
	a.await(faces, facesTime, "the answers to administrators")
	stopRest()
	a.await(parts, partsTime, "a part of the appliance")
	a.journal.Emit(event.Named("management", "System Shutdown", "hexad "+a.o.Release))
	endJournal()
	journal.Wait()
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}

// await waits for the end of something, but not for ever.
func (a *appliance) await(ended <-chan struct{}, most time.Duration, what string) {
	select {
	case <-ended:
	case <-time.After(most):
		a.log.Warn("not ended in time", "module", "management", "what", what)
	}
}

// requestRestart ends this process so that its parent starts it again.
func (a *appliance) requestRestart(actor engine.Actor) {
	a.journal.Emit(event.By(actor, "Restart Requested", "restart of hexad"))
	// The answer to whoever asked travels first.
	a.restarting.Do(func() { time.AfterFunc(200*time.Millisecond, func() { close(a.restart) }) })
}

// upkeep brings the schema of cluster.db forward when all members know it,
// and looks whether the disk takes writes again.
func (a *appliance) upkeep(ctx context.Context) error {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		a.policies.SetSituation(a.cluster.Situation())
		if a.storeErr.Load() != nil {
			continue
		}
		certificates{a}.tellKey(ctx)
		done, err := a.store.Upkeep(ctx)
		if err != nil {
			a.log.Debug("schema of the cluster database not looked after", "module", "clusterdb", "err", err)
		} else if done.Applied > 0 {
			a.log.Info("schema of the cluster database brought forward", "module", "clusterdb", "version", done.Version)
		}
	}
}

// serverCertificate is the certificate of the web console: this peer's own.
func (a *appliance) serverCertificate() *tls.Certificate { return a.link.Credentials().TLS() }
