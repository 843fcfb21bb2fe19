package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

// mappingMode is the item that turns the cluster address mapping on and off.
const mappingMode = "ClusterConfiguration AddressMapping Mode"

// act runs one command for a form of the clustering page and goes back there.
func (s *Server) act(c echo.Context, what, command string, args map[string]string) error {
	if _, err := s.run(c, command, 0, args); err != nil {
		return s.refused(c, nil, err)
	}
	return done(c, "/clustering", what)
}

func (s *Server) addMapping(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	return s.act(c, "mapping", "ClusterAddressMappingAdd",
		map[string]string{"Fqdn": strings.TrimSpace(form.Get("fqdn")), "IpAddress": strings.TrimSpace(form.Get("ip"))})
}

func (s *Server) deleteMapping(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	return s.act(c, "mapping", "ClusterAddressMappingDelete",
		map[string]string{"Fqdn": form.Get("fqdn"), "IpAddress": form.Get("ip")})
}

func (s *Server) setMappingMode(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	base, _ := strconv.ParseInt(form.Get("base"), 10, 64)
	if _, err := s.set(c, base, []engine.Change{{Path: mappingMode, Value: form.Get("mode")}}); err != nil {
		return s.refused(c, nil, err)
	}
	return done(c, "/clustering", "mapping")
}

func (s *Server) acceptPeerKey(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	return s.act(c, "peer_key", "ClusterPeerKeyAccept", map[string]string{"Peer": form.Get("peer"), "Fingerprint": form.Get("fingerprint")})
}

func (s *Server) openJoinWindow(c echo.Context) error {
	return s.act(c, "join_window", "ClusterJoinWindowOpen", nil)
}

func (s *Server) enterJoinToken(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	return s.act(c, "join_token", "ClusterJoinTokenEnter", map[string]string{"Token": strings.TrimSpace(form.Get("token"))})
}

// joinToken shows the token once, in the answer itself: it is in no URL.
func (s *Server) joinToken(c echo.Context) error {
	result, err := s.run(c, "ClusterJoinToken", 0, nil)
	if err != nil {
		return s.refused(c, nil, err)
	}
	var made struct {
		Token string    `json:"token"`
		Until time.Time `json:"until"`
	}
	if err := decode(result.Data, &made); err != nil {
		return err
	}
	p := clustering(s.page(c, c.Get(who).(signedIn), "clustering"))
	p.Token, p.Until = made.Token, made.Until
	return s.render(c, http.StatusOK, "clustering", p)
}

// RestartPage asks before it restarts, and then says that it does.
type RestartPage struct {
	Page
	Restarting bool
	Restoring  bool // into the system of a backup
}

func (s *Server) restartPage(c echo.Context) error {
	p := RestartPage{Page: s.page(c, c.Get(who).(signedIn), "restart")}
	return s.render(c, http.StatusOK, "restart", p)
}

func (s *Server) restart(c echo.Context) error {
	if _, err := s.run(c, "Restart", 0, nil); err != nil {
		return err
	}
	p := RestartPage{Page: s.page(c, c.Get(who).(signedIn), "restart"), Restarting: true}
	c.Response().Header().Set("Refresh", "8; url=/")
	return s.render(c, http.StatusAccepted, "restart", p)
}
