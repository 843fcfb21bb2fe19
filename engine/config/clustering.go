package config

import (
	"context"
	"strconv"

	"hexad/engine"
)

// Paths of the clustering page. Source: reference 5.2.
const (
	clusterName    = "Alternates Cluster Name"
	clusterPrimary = "Alternates ConfigurationPrimary"
	clusterIP      = "ClusterConfiguration IPVersion"
)

func peerPath(n int) string { return "Alternates Peer " + strconv.Itoa(n) + " Address" }

// clusteringItems is the clustering page in the form of items.
func clusteringItems(page engine.Clustering) map[string]string {
	items := map[string]string{}
	if page.Name != "" {
		items[clusterName] = page.Name
	}
	if page.Primary > 0 {
		items[clusterPrimary] = strconv.Itoa(page.Primary)
	}
	if page.IPVersion != "" {
		items[clusterIP] = page.IPVersion
	}
	for n, address := range page.Peers {
		if n < engine.MaxPeers && address != "" {
			items[peerPath(n+1)] = address
		}
	}
	return items
}

// clusteringPage puts changed items onto a page.
//
// Errors: Invalid for a gap in the peer list.
func clusteringPage(page engine.Clustering, changes []Checked) (engine.Clustering, error) {
	peers := make([]string, engine.MaxPeers)
	copy(peers, page.Peers)
	for _, c := range changes {
		switch c.Item.Path {
		case clusterName:
			page.Name = c.Value
		case clusterIP:
			page.IPVersion = c.Value
		case clusterPrimary:
			n, err := strconv.Atoi(c.Value)
			if err != nil {
				n, _ = strconv.Atoi(c.Item.Default) // unset: the default, which the registry checked
			}
			page.Primary = n
		default:
			peers[c.Index[0]-1] = c.Value
		}
	}
	page.Peers = nil
	for n, address := range peers {
		if address == "" {
			continue
		}
		if len(page.Peers) < n {
			return page, engine.Errorf(engine.Invalid, "peer %d is empty, but peer %d is not", len(page.Peers)+1, n+1).
				With(peerPath(len(page.Peers)+1), "fill the peer list without gaps")
		}
		page.Peers = append(page.Peers, address)
	}
	if page.Primary == 0 && len(page.Peers) > 0 {
		page.Primary = 1 // what the item shows while nothing was entered
	}
	if page.IPVersion == "" {
		page.IPVersion = "IPv4"
	}
	return page, nil
}

func (s *Service) saveClustering(ctx context.Context, actor engine.Actor, changes []Checked, out *Outcome) error {
	page, err := clusteringPage(s.clustering.Entered(), changes)
	if err != nil {
		return err
	}
	saved, err := s.clustering.SaveClustering(ctx, actor, page)
	if err != nil {
		return err
	}
	out.Clustering = &saved
	return nil
}
