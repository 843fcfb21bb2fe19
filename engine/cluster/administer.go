package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"hexad/engine"
)

// administerTime bounds one order to another peer: a save may wait for names
// and for the group.
const administerTime = 20 * time.Second

// Administer carries out an order of a guided procedure on the member with that
// node id: here, or there over the peer link. It may be repeated.
//
// Errors: those of what is ordered; Unavailable when the peer does not answer:
// whether the order was carried out is then not known.
//
// Source: design 4, "remote administration for procedures".
func (s *Service) Administer(ctx context.Context, node string, o engine.Order) error {
	if node == s.o.Node {
		return s.obey(ctx, o)
	}
	client, err := s.o.Link.Client(node)
	if err != nil {
		return err
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, administerTime)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+node+"/v1/administer", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return unanswered(s.addressOf(node), err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return unanswered(s.addressOf(node), err)
	}
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var e engine.Error
	if json.Unmarshal(raw, &e) != nil || e.Code == "" {
		return fmt.Errorf("%s answered %s", s.addressOf(node), resp.Status)
	}
	return &e
}

func unanswered(address string, err error) error {
	cause, _ := causeOf(err)
	return &engine.Error{Code: engine.Unavailable, Message: address + " does not answer: " + cause, Err: err}
}

// obey carries out an order here, as an administrator of this system would.
func (s *Service) obey(ctx context.Context, o engine.Order) error {
	switch o.Do {
	case engine.OrderSave, engine.OrderForce:
		if o.Page == nil {
			return engine.Errorf(engine.Invalid, "an order to save has no page")
		}
		page := *o.Page
		if s.Agreed().Primary != s.o.Node && len(s.Running().Peers) > 0 {
			page.TLSMode = s.Entered().TLSMode // saved on the primary, from where it comes by itself
		}
		if s.copyPage().Reset == nil && page.Equal(s.Entered()) && o.Do == engine.OrderSave {
			return nil
		}
		save := s.Save
		if o.Do == engine.OrderForce {
			save = s.SaveForced
		}
		_, err := save(ctx, o.Actor, page)
		return err
	case engine.OrderRestart:
		return s.Restart(ctx, o.Actor)
	case engine.OrderLeave:
		if !s.Armed() {
			page := s.Entered()
			page.Peers = nil
			if _, err := s.Save(ctx, o.Actor, page); err != nil {
				return err
			}
			if !s.Armed() {
				return engine.Errorf(engine.Denied, "a cleared peer list does not arm the factory reset here: the rules are others").With("Peers", "")
			}
		}
		return s.Restart(ctx, o.Actor)
	case engine.OrderSet:
		_, err := s.o.Config.SetReplicated(ctx, o.Actor, o.Changes)
		return err
	case engine.OrderUpdate:
		plan, err := s.UpdatePlan(ctx)
		if err == nil {
			_, err = s.ForceConfigUpdate(ctx, o.Actor, &plan)
		}
		return err
	}
	return engine.Errorf(engine.Invalid, "there is no order %q: this peer has an older release", o.Do).With("", "upgrade it")
}

// Explain tells the rules, here and on the other peers, which step of a guided
// procedure is carried out: alarms that it causes are expected.
func (s *Service) Explain(ctx context.Context, procedure, step, peer string) {
	s.begun(procedure, step, peer)
	s.announce(ctx)
}
