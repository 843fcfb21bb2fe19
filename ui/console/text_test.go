package console_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readTexts(t *testing.T, language string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("i18n/" + language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]string
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func readTemplates(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatalf("templates: %v", err)
	}
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

func TestTextsAreEqualInBothLanguages(t *testing.T) {
	t.Parallel()
	en, ja := readTexts(t, "en"), readTexts(t, "ja")
	parameter := regexp.MustCompile(`\{[a-z_]+\}`)
	for _, key := range slices.Sorted(maps.Keys(en)) {
		if ja[key] == "" || en[key] == "" {
			t.Errorf("%s: en %q, ja %q", key, en[key], ja[key])
		}
		a, b := parameter.FindAllString(en[key], -1), parameter.FindAllString(ja[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: parameters %v in English, %v in Japanese", key, a, b)
		}
	}
	for key := range ja {
		if _, ok := en[key]; !ok {
			t.Errorf("%s is in Japanese only", key)
		}
	}
}

// Keys that templates and code make of a prefix and a word.
var made = regexp.MustCompile(`^(page|procedurestate|procedureargument|severity|code|field|finding|state|certificate|database|done|error|mode|origin|outcome|peerpolicy|revisionstate|ack|since|policytab|answerkind|onfailure)\.`)

func TestTextsAreThereAndUsed(t *testing.T) {
	t.Parallel()
	en, templates := readTexts(t, "en"), readTemplates(t)
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bt "([a-z0-9_.]+)"`).FindAllStringSubmatch(templates, -1) {
		used[m[1]] = true
		if _, ok := en[m[1]]; !ok {
			t.Errorf("no text %q", m[1])
		}
	}
	for key := range en {
		if !used[key] && !made.MatchString(key) {
			t.Errorf("text %q is used nowhere", key)
		}
	}
}

// What remains of the templates without actions, tags and attributes of
// machines is text: there must be none.
func TestTemplatesHoldNoText(t *testing.T) {
	t.Parallel()
	html := regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(readTemplates(t), "")
	for _, m := range regexp.MustCompile(`(?:aria-label|title|alt|placeholder)="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		t.Errorf("attribute text %q", m[1])
	}
	text := regexp.MustCompile(`(?s)<[^>]*>`).ReplaceAllString(html, " ")
	same := map[string]bool{"IPv4": true, "IPv6": true, "NULL": true} // the same in every language
	for _, word := range regexp.MustCompile(`\pL[\pL\d]*`).FindAllString(text, -1) {
		if !same[word] {
			t.Errorf("untranslated text %q", word)
		}
	}
}
