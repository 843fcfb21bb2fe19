package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

// ClusteringPage is this peer's clustering page with everything that is known
// of each entry beside its field.
//
// Source: reference 1.2 to 1.4.
type ClusteringPage struct {
	Page
	Form     ClusteringForm
	Seen     string // digest of the entered page that the form was filled from
	Fields   []PeerField
	Findings map[string][]FindingView // by field key; "" for the page as a whole
	Running  map[string]string        // by field key, the running value where it differs
	Unlisted []PeerRow                // members that are not in this peer's list
	DB       Badge
	Problem  *Problem
	Conflict []FieldConflict
	Token    string    // a join token, shown once
	Until    time.Time // when it ends
}

// ClusteringForm is what stands in the fields.
type ClusteringForm struct {
	Name, Primary, IPVersion, TLSMode string
	Peers                             [engine.MaxPeers]string
}

// PeerField is one address field with what is beside it.
type PeerField struct {
	Index    int
	Key      string // peer1 … peer6
	Value    string
	Choice   string // how it is called in the choice of the primary
	Here     bool
	Row      *PeerRow // nil for an empty field or an address not saved yet
	Findings []FindingView
	Running  string
	Differs  bool
}

// FieldConflict is a field that somebody else saved meanwhile.
type FieldConflict struct{ Key, Yours, Now string }

func formOf(c engine.Clustering) ClusteringForm {
	f := ClusteringForm{Name: c.Name, IPVersion: c.IPVersion, TLSMode: string(c.TLSMode)}
	if c.Primary > 0 {
		f.Primary = strconv.Itoa(c.Primary)
	}
	copy(f.Peers[:], c.Peers)
	return f
}

// values are the fields by key, in the order of the page.
func (f ClusteringForm) values() [][2]string {
	out := [][2]string{{"name", f.Name}, {"primary", f.Primary}, {"ip_version", f.IPVersion}, {"tls_mode", f.TLSMode}}
	for i, p := range f.Peers {
		out = append(out, [2]string{peerKey(i + 1), p})
	}
	return out
}

func (f ClusteringForm) digest() string {
	var b strings.Builder
	for _, v := range f.values() {
		b.WriteString(strconv.Quote(v[1]))
	}
	return digest(b.String())[:16]
}

// args are the arguments of ClusterSave. A choice that was not made is left
// out, which leaves it as it is.
func (f ClusteringForm) args() map[string]string {
	args := map[string]string{"Name": f.Name}
	for name, choice := range map[string]string{"Primary": f.Primary, "IPVersion": f.IPVersion, "TLSMode": f.TLSMode} {
		if choice != "" {
			args[name] = choice
		}
	}
	for i, p := range f.Peers {
		args["Peer"+strconv.Itoa(i+1)] = p
	}
	return args
}

func peerKey(i int) string { return "peer" + strconv.Itoa(i) }

func readClustering(form url.Values) ClusteringForm {
	f := ClusteringForm{Name: strings.TrimSpace(form.Get("name")), Primary: form.Get("primary"),
		IPVersion: form.Get("ip_version"), TLSMode: form.Get("tls_mode")}
	for i := range f.Peers {
		f.Peers[i] = strings.TrimSpace(form.Get(peerKey(i + 1)))
	}
	return f
}

func (s *Server) clusteringPage(c echo.Context) error {
	p := clustering(s.page(c, c.Get(who).(signedIn), "clustering"))
	return s.render(c, http.StatusOK, "clustering", p)
}

// clustering is the page as saved.
func clustering(page Page) ClusteringPage {
	page.Topics = "clusterstatus"
	for i := range engine.MaxPeers {
		page.Topics += " " + peerKey(i+1)
	}
	form := formOf(page.View.Entered)
	p := ClusteringPage{Page: page, Form: form, Seen: form.digest(), DB: databaseBadge(page.View.Database)}
	p.arrange(page.View.Findings)
	return p
}

// arrange puts states, findings and running values beside the fields of p.Form.
func (p *ClusteringPage) arrange(found []engine.Finding) {
	v := p.View
	p.Findings = map[string][]FindingView{}
	for _, f := range findingViews(found, p.Lang) {
		key := fieldKey(f.Field, f.Peer, p.Form)
		p.Findings[key] = append(p.Findings[key], f)
	}
	p.Running = map[string]string{}
	entered, running := formOf(v.Entered).values(), formOf(v.Running).values()
	for i := range entered {
		if entered[i][1] != running[i][1] {
			p.Running[entered[i][0]] = running[i][1]
		}
	}
	p.Fields, p.Unlisted = nil, nil
	for i, value := range p.Form.Peers {
		key := peerKey(i + 1)
		f := PeerField{Index: i + 1, Key: key, Value: value, Choice: value, Findings: p.Findings[key]}
		f.Running, f.Differs = p.Running[key], hasKey(p.Running, key)
		for _, peer := range v.Peers {
			if value != "" && strings.EqualFold(peer.Address, value) {
				row := peerRow(peer, v.Running.TLSMode)
				f.Row, f.Here = &row, peer.State == engine.ThisSystem
			}
		}
		p.Fields = append(p.Fields, f)
	}
	for _, peer := range v.Peers {
		if peer.Index == 0 {
			p.Unlisted = append(p.Unlisted, peerRow(peer, v.Running.TLSMode))
		}
	}
}

func hasKey(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

// fieldKey finds the field of the page that a finding or an error is about,
// "" for none. Rules name fields by configuration path, argument or field name.
func fieldKey(field, peer string, form ClusteringForm) string {
	flat := flatten(field)
	switch {
	case strings.Contains(flat, "mapping"):
		return "mapping"
	case flat == "name" || strings.HasSuffix(flat, "clustername"):
		return "name"
	case strings.HasSuffix(flat, "primary") || strings.HasSuffix(flat, "configurationmaster") || strings.HasSuffix(flat, "primaryindex"):
		return "primary"
	case strings.HasSuffix(flat, "ipversion"):
		return "ip_version"
	case strings.HasSuffix(flat, "tlsmode") || strings.HasSuffix(flat, "tlsverify"):
		return "tls_mode"
	}
	flat = strings.TrimSuffix(flat, "address")
	if n := len(flat); n > 0 && flat[n-1] >= '1' && flat[n-1] <= '6' {
		if stem := flat[:n-1]; strings.HasSuffix(stem, "peer") || strings.HasSuffix(stem, "peers") || strings.HasSuffix(stem, "peeraddresses") {
			return "peer" + flat[n-1:]
		}
	}
	for i, address := range form.Peers {
		if peer != "" && strings.EqualFold(address, peer) {
			return peerKey(i + 1)
		}
	}
	return ""
}

// flatten keeps the letters and digits of s, in lower case.
func flatten(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// refused is the page again, with what was typed and why it was refused.
func (s *Server) refused(c echo.Context, form *ClusteringForm, err error) error {
	p := clustering(s.page(c, c.Get(who).(signedIn), "clustering"))
	if form != nil {
		p.Form = *form
	}
	e := asError(err)
	found := p.View.Findings
	if len(e.Findings) > 0 {
		found = e.Findings // of what was typed, not of what is saved
	}
	problem := problemOf(e, p.Lang)
	p.Problem = &problem
	p.arrange(found)
	if key := fieldKey(e.Item, "", p.Form); key != "" && len(e.Findings) == 0 {
		beside := FindingView{Severity: string(engine.FindingError), Text: strings.TrimSpace(e.Message + " " + e.Remedy), Field: e.Item}
		p.Findings[key] = append(p.Findings[key], beside)
		for i := range p.Fields {
			if p.Fields[i].Key == key {
				p.Fields[i].Findings = p.Findings[key]
			}
		}
	}
	return s.render(c, StatusOf(e.Code), "clustering", p)
}

func (s *Server) saveClustering(c echo.Context) error {
	sentForm, err := sent(c)
	if err != nil {
		return err
	}
	form := readClustering(sentForm)
	p := clustering(s.page(c, c.Get(who).(signedIn), "clustering"))
	if sentForm.Get("seen") != p.Seen {
		return s.clusteringConflict(c, p, form)
	}
	base, _ := strconv.ParseInt(sentForm.Get("base"), 10, 64)
	result, err := s.run(c, "ClusterSave", base, form.args())
	if err != nil {
		return s.refused(c, &form, err)
	}
	saved := result.Saved
	if saved == nil && result.Cluster != nil {
		saved = result.Cluster.Saved
	}
	return done(c, "/clustering", savedAs(saved))
}

// clusteringConflict shows what somebody else saved meanwhile beside what was
// typed here; saving again saves what was typed.
func (s *Server) clusteringConflict(c echo.Context, p ClusteringPage, typed ClusteringForm) error {
	now, yours := p.Form.values(), typed.values()
	for i := range now {
		if now[i][1] != yours[i][1] {
			p.Conflict = append(p.Conflict, FieldConflict{Key: now[i][0], Yours: yours[i][1], Now: now[i][1]})
		}
	}
	p.Form = typed
	p.arrange(p.View.Findings)
	return s.render(c, http.StatusConflict, "clustering", p)
}

// restoreAddresses puts back the peer list whose clearing armed the factory
// reset, in the same order, which cancels it.
func (s *Server) restoreAddresses(c echo.Context) error {
	v := s.options.Cluster.View(c.Request().Context())
	if v.Reset == nil {
		return done(c, "/clustering", "unchanged")
	}
	restored := v.Entered
	restored.Peers = v.Reset.From
	if restored.Primary < 1 || restored.Primary > len(restored.Peers) {
		restored.Primary = max(1, min(v.Running.Primary, len(restored.Peers)))
	}
	form := formOf(restored)
	if _, err := s.run(c, "ClusterSave", 0, form.args()); err != nil {
		return s.refused(c, &form, err)
	}
	return done(c, "/clustering", "restored")
}
