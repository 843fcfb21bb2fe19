// Package migrations holds the SQL that brings both databases to the form that
// this release expects: cluster/*.sql goes through Raft and waits until every
// peer knows it, local/*.sql runs at start.
//
// A file is named NNNN_name.sql, numbered from 0001 without gaps. Once landed it
// is never edited: its checksum is recorded where it was applied and compared
// from then on. Migrations only go forward.
package migrations

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
)

//go:embed cluster/*.sql local/*.sql
var files embed.FS

// Migration is one numbered step. Checksum is the lower-case hex SHA-256 of SQL.
type Migration struct {
	Version  int
	Name     string
	SQL      string
	Checksum string
}

var (
	cluster = sync.OnceValue(func() []Migration { return must(Read(files, "cluster")) })
	local   = sync.OnceValue(func() []Migration { return must(Read(files, "local")) })
)

// Cluster returns the migrations of cluster.db in order.
func Cluster() []Migration { return cluster() }

// Local returns the migrations of local.db in order.
func Local() []Migration { return local() }

// Read returns the migrations of one folder in order. It fails on a file name
// that breaks the form and on a gap in the numbers.
func Read(from fs.FS, folder string) ([]Migration, error) {
	entries, err := fs.ReadDir(from, folder) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	var out []Migration
	for _, e := range entries {
		base, isSQL := strings.CutSuffix(e.Name(), ".sql")
		if !isSQL {
			continue
		}
		number, name, _ := strings.Cut(base, "_")
		version, err := strconv.Atoi(number)
		if err != nil || len(number) != 4 || name == "" {
			return nil, fmt.Errorf("migrations: %s/%s is not of the form NNNN_name.sql", folder, e.Name())
		}
		if version != len(out)+1 {
			return nil, fmt.Errorf("migrations: %s/%s: number %04d expected", folder, e.Name(), len(out)+1)
		}
		text, err := fs.ReadFile(from, folder+"/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		sum := sha256.Sum256(text)
		out = append(out, Migration{Version: version, Name: name, SQL: string(text), Checksum: hex.EncodeToString(sum[:])})
	}
	return out, nil
}

// must is for the embedded files: a fault in them is a fault of this build, and
// the package's own test finds it.
func must(m []Migration, err error) []Migration {
	if err != nil {
		panic(err)
	}
	return m
}
