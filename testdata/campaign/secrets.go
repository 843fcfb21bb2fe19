package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
)

// secrets looks for the canaries in what the peers wrote for people (I13).
func (s *siege) secrets() {
	for _, p := range s.peers {
		for _, canary := range s.canaries {
			found, err := contains(p.log, []byte(canary))
			if err != nil {
				s.run.Fail("I13: %v", err)
			}
			if found {
				s.run.Fail("I13: %q is in %s", canary, filepath.Base(filepath.Dir(p.log))+"/log")
			}
		}
	}
}

// contains reports whether a file has these bytes.
func contains(name string, what []byte) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	buf := make([]byte, 0, 1<<20)
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if bytes.Contains(buf, what) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if keep := len(what) - 1; len(buf) > keep { // it may lie across two reads
			buf = append(buf[:0], buf[len(buf)-keep:]...)
		}
	}
}
