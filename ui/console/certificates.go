package console

import (
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
)

// CertificatesPage shows what this system proves itself with and whom it trusts.
type CertificatesPage struct {
	Page
	Problem  *Problem
	Sure     command.CertificateView
	Checked  *command.CertificateChecked // of a certificate that was only tried
	Findings []FindingRow
}

func (s *Server) certificateRoutes(in *echo.Group) {
	in.GET("/certificates", s.certificatesPage)
	in.POST("/certificates/request", s.requestCertificate)
	in.POST("/certificates/request/delete", s.deleteRequest)
	in.POST("/certificates/server", s.setCertificate)
	in.POST("/certificates/trust", s.setTrustList)
}

func (s *Server) certificatesPage(c echo.Context) error {
	return s.showCertificates(c, http.StatusOK, nil, nil)
}

func (s *Server) showCertificates(c echo.Context, status int, checked *command.CertificateChecked, failed error) error {
	p := CertificatesPage{Page: s.page(c, c.Get(who).(signedIn), "certificates"), Checked: checked}
	result, err := s.run(c, "CertificateShow", 0, nil)
	if err == nil {
		err = decode(result.Data, &p.Sure)
	}
	if failed == nil {
		failed = err
	}
	p.Problem = p.problem(failed)
	found := p.Sure.Findings
	if checked != nil {
		found = checked.Findings
	}
	for _, f := range found {
		p.Findings = append(p.Findings, FindingRow{Bad: f.Severity == engine.FindingError, Text: f.Text.In(p.Lang, nil)})
	}
	return s.render(c, status, "certificates", p)
}

// FindingRow is a finding as a page lists it.
type FindingRow struct {
	Bad  bool
	Text string
}

func (s *Server) requestCertificate(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	args := map[string]string{"Key": form.Get("key")}
	for field, name := range map[string]string{"organization": "Organization", "names": "Names"} {
		if v := strings.TrimSpace(form.Get(field)); v != "" {
			args[name] = v
		}
	}
	if _, err := s.run(c, "CertificateRequest", 0, args); err != nil {
		return s.showCertificates(c, StatusOf(asError(err).Code), nil, err)
	}
	return done(c, "/certificates", "requested")
}

func (s *Server) deleteRequest(c echo.Context) error {
	if _, err := s.run(c, "CertificateRequestDelete", 0, nil); err != nil {
		return s.showCertificates(c, StatusOf(asError(err).Code), nil, err)
	}
	return done(c, "/certificates", "request_deleted")
}

// setCertificate checks a certificate, and uses it when that was asked for.
func (s *Server) setCertificate(c echo.Context) error {
	r := c.Request()
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return &engine.Error{Code: engine.Invalid, Message: "error.form", Err: err}
	}
	defer r.MultipartForm.RemoveAll()
	text, err := sentPEM(r, "certificate", "key")
	if err != nil {
		return s.showCertificates(c, http.StatusBadRequest, nil, err)
	}
	args := map[string]string{}
	try := r.PostFormValue("do") != "use"
	if try {
		args["Try"] = "On"
	}
	result, err := s.runBody(c, "ServerCertificateSet", args, text)
	if err != nil {
		return s.showCertificates(c, StatusOf(asError(err).Code), nil, err)
	}
	if !try {
		return done(c, "/certificates", "certificate")
	}
	var checked command.CertificateChecked
	if err := decode(result.Data, &checked); err != nil {
		return err
	}
	return s.showCertificates(c, http.StatusOK, &checked, nil)
}

func (s *Server) setTrustList(c echo.Context) error {
	r := c.Request()
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return &engine.Error{Code: engine.Invalid, Message: "error.form", Err: err}
	}
	defer r.MultipartForm.RemoveAll()
	text, err := sentPEM(r, "authorities")
	if err == nil {
		_, err = s.runBody(c, "TrustListSet", nil, text)
	}
	if err != nil {
		return s.showCertificates(c, StatusOf(asError(err).Code), nil, err)
	}
	return done(c, "/certificates", "trust")
}

// sentPEM is the text of the files of a form, one after the other; the first
// must be there.
func sentPEM(r *http.Request, fields ...string) (string, error) {
	var out strings.Builder
	for i, field := range fields {
		file, _, err := r.FormFile(field)
		if err != nil && i > 0 {
			continue
		}
		if err != nil {
			return "", &engine.Error{Code: engine.Invalid, Message: "error.no_file", Err: err}
		}
		text, err := io.ReadAll(file)
		file.Close()
		if err != nil {
			return "", err
		}
		out.Write(text)
		out.WriteByte('\n')
	}
	return out.String(), nil
}
