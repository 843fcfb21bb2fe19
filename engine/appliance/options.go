package appliance

import (
	"log/slog"
	"net"
	"path/filepath"

	"hexad/engine"
)

// Options are the flags of one process. They are not configuration: they
// belong to the machine and are given anew at each start.
type Options struct {
	DataDir           string
	Address           string // LAN1 address, an IP literal
	Role              engine.Role
	Size              string // small, medium or large
	Series            string // expressway or vcs: which option keys the cluster pools
	HTTPSPort         int
	SSHPort           int // 0: no shell over SSH
	LinkPort          int // 4371; another value only in tests
	DatabasePort      int // 4372
	RASPort           int // UDP 1719
	AdminPasswordFile string
	LogFormat         string // text or json
	Log               *slog.Logger
	Release           string
	// Crashes is how often the child before this one ended by itself, and Cause why.
	Crashes int
	Cause   string
	// ResetFailed is why the armed factory reset was not carried out.
	ResetFailed string
}

// Validate reports the first flag that cannot be used.
func (o Options) Validate() error {
	if o.DataDir == "" {
		return engine.Errorf(engine.Invalid, "no data directory").With("--data-dir", "name a directory that this user may write to")
	}
	if net.ParseIP(o.Address) == nil {
		return engine.Errorf(engine.Invalid, "address %q is not an IP address", o.Address).With("--address", "give the LAN1 address of this host, for example --address 192.0.2.10")
	}
	if o.Role != engine.Core && o.Role != engine.Edge {
		return engine.Errorf(engine.Invalid, "role %q is neither core nor edge", o.Role).With("--role", "use --role core or --role edge")
	}
	if o.Size != "small" && o.Size != "medium" && o.Size != "large" {
		return engine.Errorf(engine.Invalid, "size %q is neither small, medium nor large", o.Size).With("--size", "use --size small, medium or large")
	}
	if o.Series != "expressway" && o.Series != "vcs" {
		return engine.Errorf(engine.Invalid, "series %q is neither expressway nor vcs", o.Series).With("--series", "use --series expressway, or vcs where option keys of that series are installed")
	}
	if o.LogFormat != "text" && o.LogFormat != "json" {
		return engine.Errorf(engine.Invalid, "log format %q is neither text nor json", o.LogFormat).With("--log-format", "use text or json")
	}
	return nil
}

// store is where the copies of cluster.db live, one directory a generation.
func (o Options) store() string { return filepath.Join(o.DataDir, "cluster") }

// journal is the configuration journal, and quarantine where damaged copies of
// the cluster database are kept; neither is below store.
func (o Options) journal() string    { return filepath.Join(o.DataDir, "config.journal") }
func (o Options) quarantine() string { return filepath.Join(o.DataDir, "quarantine") }
