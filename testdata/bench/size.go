package main

import (
	"context"
	"os"
)

// sizePart measures the programs: hexad as make build leaves it, rqlited built
// without symbols, etcd as Debian packs it.
func (b *run) sizePart(context.Context) error {
	for name, file := range map[string]string{"hexad": b.o.hexad, "rqlited": b.o.rqlited, "etcd": b.o.etcd} {
		if file == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		b.add("program, stripped", "MB", true, name, float64(info.Size())/1e6)
	}
	return nil
}
