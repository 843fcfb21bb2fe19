package config_test

import (
	"bytes"
	"os"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

// documents are written from the registry, so that no page can name an item
// that does not exist or leave one out.
var documents = map[string]engine.Language{
	"../../docs/configuration.md":    engine.English,
	"../../docs/configuration.ja.md": engine.Japanese,
}

func TestDocumentIsCurrent(t *testing.T) {
	reg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	for path, language := range documents {
		var want bytes.Buffer
		if err := reg.Document(&want, language); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s differs from the registry; write it anew with: make golden", path)
		}
	}
}
