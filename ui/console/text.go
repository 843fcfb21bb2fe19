package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/text/language"

	"hexad/engine"
)

//go:embed i18n/*.json
var catalogueFiles embed.FS

// languages of the console, the fallback first.
var languages = []engine.Language{engine.English, engine.Japanese}

var languageMatcher = language.NewMatcher([]language.Tag{language.English, language.Japanese})

// catalogue is every text of the console in one language, by key.
type catalogue map[string]string

// loadCatalogues reads the embedded catalogues. A damaged one is a fault of the
// build, which the tests find.
func loadCatalogues() (map[engine.Language]catalogue, error) {
	out := make(map[engine.Language]catalogue, len(languages))
	for _, l := range languages {
		data, err := catalogueFiles.ReadFile("i18n/" + string(l) + ".json")
		if err != nil {
			return nil, fmt.Errorf("read texts: %w", err)
		}
		var c catalogue
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("read texts of %s: %w", l, err)
		}
		out[l] = c
	}
	return out, nil
}

// text returns the text of key with its parameters, given as name, value pairs.
//
// An unknown key is an error, so that a template cannot show a bare key.
func (c catalogue) text(key string, pairs ...any) (string, error) {
	s, ok := c[key]
	if !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("text %q: odd parameters", key)
	}
	replace := make([]string, 0, len(pairs))
	for i := 0; i < len(pairs); i += 2 {
		replace = append(replace, fmt.Sprintf("{%v}", pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return strings.NewReplacer(replace...).Replace(s), nil
}

// say returns the text of message when it is a key, and message otherwise:
// errors of the console are keys, those of the engine are sentences.
func (c catalogue) say(message string) string {
	if s, ok := c[message]; ok {
		return s
	}
	return message
}

// languageOf picks the language of a request: the user's choice, then what the
// browser asks for, then English.
func languageOf(r *http.Request) engine.Language {
	if c, err := r.Cookie(languageCookie); err == nil {
		for _, l := range languages {
			if c.Value == string(l) {
				return l
			}
		}
	}
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(tags) == 0 {
		return engine.English
	}
	_, i, confidence := languageMatcher.Match(tags...)
	if confidence == language.No {
		return engine.English
	}
	return languages[i]
}
