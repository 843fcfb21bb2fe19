package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages are the templates of every page, parsed once for each language so that
// a template says {{t "key"}} wherever it is; when somebody first looks, for a
// start has better things to do.
type pages struct {
	texts map[engine.Language]catalogue
	sets  map[engine.Language]func() (*template.Template, error)
}

func loadPages(a *assets) (*pages, error) {
	texts, err := loadCatalogues()
	if err != nil {
		return nil, err
	}
	p := &pages{texts: texts, sets: make(map[engine.Language]func() (*template.Template, error))}
	for _, l := range languages {
		p.sets[l] = sync.OnceValues(func() (*template.Template, error) {
			return template.New("").Funcs(functions(l, texts[l], a)).ParseFS(templateFiles, "templates/*.html")
		})
	}
	return p, nil
}

// functions are what templates can call, in language l.
func functions(l engine.Language, texts catalogue, a *assets) template.FuncMap {
	return template.FuncMap{
		"t":     texts.text,
		"say":   texts.say,
		"asset": a.url,
		"icon": func(name string) (template.HTML, error) {
			u, err := a.url("icons.svg")
			return template.HTML(fmt.Sprintf(`<svg class="icon" aria-hidden="true" focusable="false"><use href="%s#%s"/></svg>`,
				u, template.HTMLEscapeString(name))), err
		},
		"when":  when,
		"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"ms":    milliseconds,
		"lines": func(s []string) string { return strings.Join(s, "\n") },
		"list":  func(s []string) string { return strings.Join(s, ", ") },
		"short": func(s string) string { return s[:min(12, len(s))] },
		"inc":   func(i int) int { return i + 1 },
	}
}

// when writes a time as UTC, to the second, in the one order that both
// languages read without doubt; "" for the zero time.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// milliseconds writes a duration in ms with at most one decimal below ten.
func milliseconds(v float64) string {
	if v < 10 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return fmt.Sprintf("%.0f", v)
}

// execute renders the named template for language l.
func (p *pages) execute(l engine.Language, name string, data any) ([]byte, error) {
	set, err := p.sets[l]()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, name, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// render answers with a whole page: nothing is sent when it cannot be made.
func (s *Server) render(c echo.Context, status int, name string, data interface{ language() engine.Language }) error {
	l := data.language()
	html, err := s.pages.execute(l, name, data)
	if err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	c.Response().Header().Set("Content-Language", string(l))
	return c.HTMLBlob(status, html)
}
