package policy

import "slices"

// Unlisted lists functions of hexad's own that have no signature.
func Unlisted() []string {
	var known, out []string
	for _, s := range signatures {
		known = append(known, s.name)
	}
	want := append([]string{"policy", "why", "log", "data", "accept", "reject", "route", "skip"}, testFunctions...)
	for _, library := range sorted(libraries) {
		if library == "string" || library == "table" || library == "math" {
			continue // the language's own, which every editor knows
		}
		for _, name := range sorted(libraries[library]) {
			want = append(want, library+"."+name)
		}
	}
	for _, name := range sorted(expectations) {
		want = append(want, "expect."+name)
	}
	for _, name := range want {
		if !slices.Contains(known, name) {
			out = append(out, name)
		}
	}
	return out
}

// Age makes every state of the pool one that has served n evaluations.
func (p *Policies) Age(n int) {
	r := p.active.Load()
	for range cap(r.states) {
		st := <-r.states
		st.served = n
		r.states <- st
	}
}

// Served lists how many evaluations each state of the pool has served.
func (p *Policies) Served() []int {
	var out []int
	r := p.active.Load()
	for range cap(r.states) {
		st := <-r.states
		out = append(out, st.served)
		r.states <- st
	}
	slices.Sort(out)
	return out
}

// Unpack reads the files of an archive.
func Unpack(archive []byte) (map[string][]byte, error) { return unpack(archive) }
