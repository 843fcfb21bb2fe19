package console

import (
	"bytes"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/labstack/echo/v4"

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
	set, err := p.sets[engine.English]()
	if err != nil {
		return nil, err
	}
	for _, t := range set.Templates() {
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

// ReadAPI reads the body of a REST request: its arguments and its text.
func ReadAPI(body []byte) (args map[string]string, text string, err error) {
	c := echo.New().NewContext(httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)), httptest.NewRecorder())
	request, err := apiRequestOf(c)
	if err != nil {
		return nil, "", err
	}
	args = map[string]string{}
	for name, value := range request.Args {
		if args[name], err = argumentText(name, value); err != nil {
			return nil, "", err
		}
	}
	text, err = bodyText(request.Body)
	return args, text, err
}

// ReadForms reads a form as the clustering page and as configuration items.
func ReadForms(form url.Values) (args map[string]string, paths []string) {
	for _, e := range edits(form) {
		paths = append(paths, e.path)
	}
	return readClustering(form).args(), paths
}
