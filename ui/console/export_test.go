package console

import (
	"html/template"

	"hexad/engine"
)

// Execute renders one template as the server does.
func Execute(l engine.Language, name string, data any) (string, error) {
	a, err := loadAssets()
	if err != nil {
		return "", err
	}
	p, err := loadPages(a)
	if err != nil {
		return "", err
	}
	html, err := p.execute(l, name, data)
	return string(html), err
}

// TemplateNames lists every defined template.
func TemplateNames() ([]string, error) {
	a, err := loadAssets()
	if err != nil {
		return nil, err
	}
	p, err := loadPages(a)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range p.sets[engine.English].Templates() {
		if t.Tree != nil && t.Name() != "" && !isFile(t) {
			names = append(names, t.Name())
		}
	}
	return names, nil
}

func isFile(t *template.Template) bool {
	n := t.Name()
	return len(n) > 5 && n[len(n)-5:] == ".html"
}

// Colour cuts a script into coloured lines.
var Colour = colour

// NewLimiter makes the limiter of sign-ins.
var NewLimiter = newLimiter
