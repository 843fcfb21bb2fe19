package appliance_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/config"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// BenchmarkSave saves as the parts of hexad do it among themselves: three
// databases, each with its configuration journal, and a configuration service
// on the first. All are in this process; between them is loopback TCP without
// TLS. There is no shell, no rule, no audit and no log, and nobody follows.
// make bench runs it (-only inside).
func BenchmarkSave(b *testing.B) {
	registry, err := config.Load()
	if err != nil {
		b.Fatal(err)
	}
	g := sqlstoretest.Start(b, 3, func(o *sqlstore.ClusterOptions) {
		o.Timers = sqlstore.DefaultTimers
		o.Journal = filepath.Join(filepath.Dir(o.Dir), o.Node+".journal")
	})
	service := config.New(registry, g.Peers[0].Cluster, bareLocal{}, bareLocal{}, nil, slog.New(slog.DiscardHandler))
	if _, err := service.Reload(b.Context()); err != nil {
		b.Fatal(err)
	}
	set := func(changes ...engine.Change) error {
		_, err := service.Set(b.Context(), engine.Actor{User: "admin", Via: "bench"}, 0, changes)
		return err
	}
	const most = 64
	for n := 1; n <= most; n++ {
		zone := fmt.Sprintf("Zones Zone %d ", n)
		if err := set(engine.Change{Path: zone + "Name", Value: fmt.Sprintf("zone%d", n)}, engine.Change{Path: zone + "Type", Value: "Neighbor"}); err != nil {
			b.Fatal(err)
		}
	}
	for _, writers := range []int{1, 8, most} {
		b.Run(fmt.Sprintf("%d_writers", writers), func(b *testing.B) {
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			took := make([][]time.Duration, writers)
			before, began := processTime(b), time.Now()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					path := fmt.Sprintf("Zones Zone %d Neighbor SIP ProxyRequire Strip List", w+1)
					for left.Add(-1) >= 0 {
						started := time.Now()
						value := fmt.Sprintf("%020d", started.UnixNano())
						if err := set(engine.Change{Path: path, Value: value + strings.Repeat("v", 255-len(value))}); err != nil {
							b.Error(err)
							return
						}
						took[w] = append(took[w], time.Since(started))
					}
				})
			}
			wg.Wait()
			wall, used := time.Since(began), processTime(b)-before
			all := slices.Concat(took...)
			slices.Sort(all)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			b.ReportMetric(float64(len(all))/wall.Seconds(), "saves/s")
			b.ReportMetric(ms(all[len(all)/2]), "ms-p50")
			b.ReportMetric(ms(all[len(all)*99/100]), "ms-p99")
			b.ReportMetric(ms(used)/float64(len(all)), "ms-cpu/save")
		})
	}
}

// processTime is the processor time that this process has used.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bareLocal is a peer with nothing of its own.
type bareLocal struct{}

func (bareLocal) Items(context.Context) (map[string]string, error) { return map[string]string{}, nil }
func (bareLocal) SaveItems(context.Context, engine.Save) error     { return nil }
func (bareLocal) Entered() engine.Clustering                       { return engine.Clustering{} }
func (bareLocal) SaveClustering(context.Context, engine.Actor, engine.Clustering) (engine.ClusteringSaved, error) {
	return engine.ClusteringSaved{}, nil
}
