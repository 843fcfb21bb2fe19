package console

import (
	"encoding/base64"
	"net/http"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
)

// MaintenancePage is where backups are made and restored, snapshots taken, and
// this system taken out of service.
type MaintenancePage struct {
	Page
	Problem  *Problem
	On       bool // maintenance mode
	Plan     *command.RestorePlan
	Warnings []string
	Said     []string // what a command about keys answered
}

func (s *Server) maintenanceRoutes(in *echo.Group) {
	in.GET("/maintenance", s.maintenancePage)
	in.GET("/reset", s.resetPage)
	in.POST("/maintenance/mode", s.setMaintenance)
	in.POST("/maintenance/keys", s.changeKeys)
	in.POST("/maintenance/backup", s.makeBackup)
	in.POST("/maintenance/restore", s.restoreBackup)
	in.POST("/maintenance/snapshot", s.takeSnapshot)
}

func (s *Server) maintenancePage(c echo.Context) error {
	return s.showMaintenance(c, http.StatusOK, nil, nil)
}

func (s *Server) showMaintenance(c echo.Context, status int, plan *command.RestorePlan, failed error) error {
	return s.render(c, status, "maintenance", s.maintenance(c, plan, failed))
}

func (s *Server) maintenance(c echo.Context, plan *command.RestorePlan, failed error) MaintenancePage {
	p := MaintenancePage{Page: s.page(c, c.Get(who).(signedIn), "maintenance"), Plan: plan}
	p.Problem = p.problem(failed)
	for _, peer := range p.View.Peers {
		p.On = p.On || peer.State == engine.ThisSystem && peer.Maintenance
	}
	if items, err := s.options.Configuration.Items(c.Request().Context(), ItemQuery{Paths: []string{itemMaintenance}}); err == nil && len(items.Items) == 1 {
		p.On = items.Items[0].Value == "On"
	}
	if plan != nil {
		for _, w := range plan.Warnings {
			p.Warnings = append(p.Warnings, w.In(p.Lang, nil))
		}
	}
	return p
}

// changeKeys updates system keys, or changes the data key; what the command says
// names secrets that are lost, so that it is shown whole.
func (s *Server) changeKeys(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	name := "ForceSystemKeyUpdate"
	if form.Get("key") == "data" {
		name = "ClusterDataKeyRotate"
	}
	result, err := s.run(c, name, 0, nil)
	if err != nil {
		return s.showMaintenance(c, StatusOf(asError(err).Code), nil, err)
	}
	p := s.maintenance(c, nil, nil)
	p.Said = result.Lines
	return s.render(c, http.StatusOK, "maintenance", p)
}

const itemMaintenance = "SystemUnit Maintenance Mode"

func (s *Server) setMaintenance(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	value := "Off"
	if form.Get("mode") == "on" {
		value = "On"
	}
	if _, err := s.set(c, 0, []engine.Change{{Path: itemMaintenance, Value: value}}); err != nil {
		return s.showMaintenance(c, StatusOf(asError(err).Code), nil, err)
	}
	return done(c, "/maintenance", "saved")
}

// download sends the file of a command's answer.
func (s *Server) download(c echo.Context, name string, args map[string]string, kind string) error {
	result, err := s.run(c, name, 0, args)
	if err != nil {
		return s.showMaintenance(c, StatusOf(asError(err).Code), nil, err)
	}
	var out struct {
		Name string `json:"name"`
		File []byte `json:"file"`
	}
	if err := decode(result.Data, &out); err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="`+out.Name+`"`)
	return c.Blob(http.StatusOK, kind, out.File)
}

func (s *Server) makeBackup(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	if form.Get("passphrase") != form.Get("again") {
		return s.showMaintenance(c, http.StatusBadRequest, nil, engine.Errorf(engine.Invalid, "error.passphrases_differ"))
	}
	args := map[string]string{"Passphrase": form.Get("passphrase")}
	if form.Get("scope") == "cluster" {
		args["Scope"] = "Cluster"
	}
	return s.download(c, "SystemBackup", args, "application/octet-stream")
}

func (s *Server) takeSnapshot(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	return s.download(c, "SystemSnapshot", map[string]string{"Kind": form.Get("kind")}, "application/gzip")
}

// restoreBackup checks the backup that is sent, or restores it; a file cannot be
// kept between the two, so that it is sent again.
func (s *Server) restoreBackup(c echo.Context) error {
	r := c.Request()
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return &engine.Error{Code: engine.Invalid, Message: "error.form", Err: err}
	}
	defer r.MultipartForm.RemoveAll()
	file, err := archiveOf(r)
	if err != nil {
		return s.showMaintenance(c, http.StatusBadRequest, nil, err)
	}
	args := map[string]string{"Passphrase": r.PostFormValue("passphrase"), "Peer": r.PostFormValue("peer")}
	confirmed := r.PostFormValue("do") == "restore"
	if confirmed && r.PostFormValue("agreed") != "yes" {
		return s.showMaintenance(c, http.StatusBadRequest, nil, engine.Errorf(engine.Invalid, "error.not_agreed"))
	}
	if confirmed {
		args["Confirm"] = "On"
	}
	result, err := s.runBody(c, "SystemRestore", args, base64.StdEncoding.EncodeToString(file))
	if err != nil {
		return s.showMaintenance(c, StatusOf(asError(err).Code), nil, err)
	}
	if confirmed {
		c.Response().Header().Set("Refresh", "15; url=/")
		return s.render(c, http.StatusAccepted, "restart", RestartPage{Page: s.page(c, c.Get(who).(signedIn), "restart"), Restarting: true, Restoring: true})
	}
	var plan command.RestorePlan
	if err := decode(result.Data, &plan); err != nil {
		return err
	}
	return s.showMaintenance(c, http.StatusOK, &plan, nil)
}
