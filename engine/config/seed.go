package config

import "hexad/engine"

// Seed is the save that gives a new system its default list entries, at
// revision 0.
//
// Errors: those of Registry.Lookup, when the tables are damaged.
func (s *Service) Seed() (engine.Save, error) {
	checked, err := s.checkAll(s.reg.Defaults())
	if err != nil {
		return engine.Save{}, err
	}
	return newSave(engine.System, 0, checked, "factory defaults"), nil
}
