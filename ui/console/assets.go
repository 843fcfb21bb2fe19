package console

import (
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

//go:embed static
var staticFiles embed.FS

// assets are the static files, served under a name that holds their digest, so
// that browsers may keep them forever.
type assets struct {
	files map[string][]byte // by name
	tags  map[string]string // name -> first hex digits of its SHA-256
}

func loadAssets() (*assets, error) {
	a := &assets{files: make(map[string][]byte), tags: make(map[string]string)}
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		data, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, err
		}
		a.files[e.Name()] = data
		a.tags[e.Name()] = digest(string(data))[:12]
	}
	return a, nil
}

// url is where a static file is served.
func (a *assets) url(name string) (string, error) {
	tag, ok := a.tags[name]
	if !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return "/static/" + tag + "/" + name, nil
}

func (s *Server) static(c echo.Context) error {
	return s.asset(c, c.Param("name"), "public, max-age=31536000, immutable")
}

func (s *Server) favicon(c echo.Context) error {
	return s.asset(c, "mark.svg", "public, max-age=86400")
}

func (s *Server) asset(c echo.Context, name, keep string) error {
	data, ok := s.assets.files[name]
	if !ok {
		return echo.ErrNotFound
	}
	c.Response().Header().Set("Cache-Control", keep)
	return c.Blob(http.StatusOK, mime.TypeByExtension(path.Ext(name)), data)
}
