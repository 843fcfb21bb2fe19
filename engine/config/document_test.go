package config_test

import (
	"strings"
	"testing"

	"hexad/engine"
)

func TestDocumentListsEveryItem(t *testing.T) {
	t.Parallel()
	reg := load(t)
	for _, lang := range []engine.Language{engine.English, engine.Japanese} {
		var b strings.Builder
		if err := reg.Document(&b, lang); err != nil {
			t.Fatal(err)
		}
		for _, i := range reg.Items() {
			if !strings.Contains(b.String(), "| `"+i.Path+"` |") {
				t.Errorf("%s: %s is missing", lang, i.Path)
			}
		}
		if n := strings.Count(b.String(), "\n## ") + 1; n != len(reg.Areas()) {
			t.Errorf("%s: %d headings, want %d", lang, n, len(reg.Areas()))
		}
	}
}
