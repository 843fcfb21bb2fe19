package console

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

// maxArchive bounds an archive that is sent: what the policies take at most.
const maxArchive = 32 << 20

// archivePaths are where an archive may be sent to; every other body is small.
var archivePaths = []string{"/policies/import", apiPrefix + "/policy/archives", "/maintenance/restore", apiPrefix + "/backups/restore"}

// exportRevision sends a revision as a signed archive.
func (s *Server) exportRevision(c echo.Context) error {
	args, name := map[string]string{}, "policies.tar"
	if n, err := strconv.ParseInt(c.QueryParam("revision"), 10, 64); err == nil && n >= 0 {
		args["Revision"] = strconv.FormatInt(n, 10)
		name = fmt.Sprintf("policies-revision-%d.tar", n)
	}
	var out struct {
		Archive []byte `json:"archive"`
	}
	if err := s.askPolicy(c, &out, "PolicyExport", args); err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return c.Blob(http.StatusOK, "application/x-tar", out.Archive)
}

// importArchive stores what an archive holds as drafts. Refused, the page keeps
// the fingerprint that was typed; a file cannot be kept.
func (s *Server) importArchive(c echo.Context) error {
	r := c.Request()
	err := r.ParseMultipartForm(maxArchive)
	if err != nil {
		return &engine.Error{Code: engine.Invalid, Message: "error.form", Err: err}
	}
	defer r.MultipartForm.RemoveAll()
	trust := strings.TrimSpace(r.PostFormValue("trust"))
	archive, err := archiveOf(r)
	if err == nil {
		args := map[string]string{}
		if trust != "" {
			args["Trust"] = trust
		}
		_, err = s.runBody(c, "PolicyImport", args, base64.StdEncoding.EncodeToString(archive))
	}
	if err != nil {
		p, failed := s.revisions(c)
		if failed != nil {
			return err
		}
		p.Trust = trust
		return s.render(c, refused(&p.PolicyFrame, err), "policyrevisions", p)
	}
	return done(c, "/policies/revisions", "policy_imported")
}

func archiveOf(r *http.Request) ([]byte, error) {
	file, _, err := r.FormFile("archive")
	if err != nil {
		return nil, &engine.Error{Code: engine.Invalid, Message: "error.no_file", Err: err}
	}
	defer file.Close()
	archive, err := io.ReadAll(file)
	if err == nil && len(archive) == 0 {
		return nil, &engine.Error{Code: engine.Invalid, Message: "error.no_file"}
	}
	return archive, err
}
