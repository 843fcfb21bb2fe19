package config

import (
	"slices"
	"strconv"

	"hexad/engine"
)

// Neighbours are the zones that name other systems by address, for the rule
// that no peer is also a neighbour.
func (v *View) Neighbours() []engine.NeighbourRecord {
	var out []engine.NeighbourRecord
	for _, i := range v.Entries("Zones Zone") {
		zone := "Zones Zone " + strconv.Itoa(i)
		kind := v.text(zone + " Type")
		record := engine.NeighbourRecord{Zone: v.text(zone + " Name"), Type: kind}
		for n := 1; n <= engine.MaxPeers; n++ {
			record.Addresses = append(record.Addresses, v.text(zone+" "+kind+" Peer "+strconv.Itoa(n)+" Address"))
		}
		record.Addresses = slices.DeleteFunc(record.Addresses, func(a string) bool { return a == "" })
		if len(record.Addresses) > 0 {
			out = append(out, record)
		}
	}
	return out
}

// Seed is the save that gives a new system its default list entries.
//
// Errors: Internal, when the tables are damaged.
func (s *Service) Seed() (engine.Save, error) {
	changes, err := s.reg.Defaults()
	if err != nil {
		return engine.Save{}, err
	}
	checked, err := s.checkAll(changes)
	if err != nil {
		return engine.Save{}, err
	}
	return newSave(engine.System, 0, checked, "factory defaults"), nil
}
