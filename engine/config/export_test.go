package config

// Waiting is how many changes stand in line.
func (s *Service) Waiting() int {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	return len(s.line.list)
}
