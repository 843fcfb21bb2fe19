package config

import (
	"slices"
	"strings"
)

const (
	subZoneList   = "Zones LocalZone SubZones SubZone [1..1000]"
	linkList      = "Bandwidth Link [1..3000]"
	transformList = "Transform [1..100]"
	optionList    = "Option [1..64]"
)

// listSpec says what the entries of a list need and which fields tell them
// apart. The first required field is the entry's key.
type listSpec struct {
	pattern  string
	required []string
	unique   []string
}

// listSpecs are the lists that entries are added to. Source: reference 5.3, 5.4, 5.5.
var listSpecs = []listSpec{
	{zoneList, []string{"Name", "Type"}, []string{"Name"}},
	{subZoneList, []string{"Name"}, []string{"Name"}},
	{"Zones LocalZone SubZones MembershipRules Rule [1..3000]", []string{"Name"}, []string{"Name"}},
	{"Zones Policy SearchRules Rule [1..2000]", []string{"Name"}, []string{"Name"}},
	{transformList, []string{"Pattern String"}, []string{"Priority"}},
	{linkList, []string{"Name"}, []string{"Name"}},
	{"Bandwidth Pipe [1..1000]", []string{"Name"}, []string{"Name"}},
	{"SIP Domain [1..200]", []string{"Name"}, []string{"Name"}},
	{"SIP Routes Route [1..20]", []string{"Address"}, nil},
	{"Registration AllowList [1..2500]", []string{"Pattern String"}, nil},
	{"Registration DenyList [1..2500]", []string{"Pattern String"}, nil},
	{"Policy Services Service [1..20]", []string{"Name"}, []string{"Name"}},
	{"Authentication Account Admin Account [1..100]", []string{"Name"}, []string{"Name"}},
	{"Authentication Account Admin Group [1..100]", []string{"Name"}, []string{"Name"}},
	{"Authentication Credential [1..2500]", []string{"Name"}, []string{"Name"}},
	{"Login User [1..100]", []string{"Name"}, []string{"Name"}},
	{"Applications External Status [1..10]", []string{"Name"}, []string{"Name"}},
	{"Logger Network [1..64]", []string{"Name"}, []string{"Name"}},
	{"IP Route [1..50]", []string{"Address"}, nil},
	{optionList, []string{"Key"}, []string{"Key"}},
	{"DNS Server [1..5]", []string{"Address"}, nil},
	{"DNS PerDomainServer [1..5]", []string{"Address"}, nil},
	{"NTP Server [1..5]", []string{"Address"}, nil},
	{"Remote Syslog [1..4]", []string{"Address"}, nil},
	{"ClusterConfiguration AddressMapping [1..6]", []string{"FQDN", "IPAddress"}, []string{"FQDN"}},
}

// specOf returns the rules of a list, nil when it has none.
func specOf(pattern string) *listSpec {
	i := slices.IndexFunc(listSpecs, func(s listSpec) bool { return s.pattern == pattern })
	if i < 0 {
		return nil
	}
	return &listSpecs[i]
}

func (s *listSpec) container() string { return List{Pattern: s.pattern}.container(nil) }

func (s *listSpec) entry(index int) string { return List{Pattern: s.pattern}.entry([]int{index}) }

// limit is the highest index.
func (s *listSpec) limit() int {
	var i Item
	i.Path = s.pattern
	if err := i.split(); err != nil {
		return 0
	}
	return i.Lists[0].Limit
}

func (s *listSpec) fixed() bool { return s.limit() <= fixedLimit }

// findList finds a list by its container path, joined or spaced: "Zones Zone".
func (r *Registry) findList(list string) *listSpec {
	key := strings.TrimSuffix(fold(slotForm.ReplaceAllString(list, "#")), "#")
	for n := range listSpecs {
		if fold(listSpecs[n].container()) == key {
			return &listSpecs[n]
		}
	}
	return nil
}
