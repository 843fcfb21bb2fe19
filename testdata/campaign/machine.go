package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// printed runs a program of the machine and returns what it prints.
func printed(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return text, nil
}

func tool(name string, args ...string) error {
	_, err := printed(name, args...)
	return err
}
