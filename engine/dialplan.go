package engine

// PatternType is how a pattern is held against an alias, without case.
type PatternType string

// The pattern types. Source: reference 7.2.
const (
	PatternExact  PatternType = "Exact"
	PatternPrefix PatternType = "Prefix"
	PatternSuffix PatternType = "Suffix"
	PatternRegex  PatternType = "Regex" // RE2, matches the whole alias; \1 … \9 are its groups
)

// Behavior is what a match does to the alias.
type Behavior string

// The behaviors. Strip and AddPrefix/AddSuffix are about the part that matched
// or the whole alias; Replace puts its text in place of the part that matched.
// Strip needs a prefix or a suffix. Source: reference 7.2.
const (
	Leave     Behavior = "Leave"
	Strip     Behavior = "Strip"
	Replace   Behavior = "Replace"
	AddPrefix Behavior = "AddPrefix"
	AddSuffix Behavior = "AddSuffix"
)

// Transform rewrites an alias before a search. Priority is 1 to 65,534, unique;
// only the first that matches applies.
//
// Source: reference 7.1, 7.2.
type Transform struct {
	Name     string
	Priority int
	Type     PatternType
	Pattern  string
	Behavior Behavior
	Text     string // of Replace, AddPrefix, AddSuffix
	Disabled bool
}

// RuleMode is what a search rule is about.
type RuleMode string

// The modes. AnyAlias is every alias that is no IP address. Source: reference 7.3.
const (
	AnyAlias     RuleMode = "AnyAlias"
	AnyIPAddress RuleMode = "AnyIPAddress"
	MatchPattern RuleMode = "AliasPatternMatch"
)

// RuleSource is where a request must come from for a search rule.
type RuleSource string

// The sources. Source: reference 7.3.
const (
	FromAny       RuleSource = "Any"
	FromAllZones  RuleSource = "AllZones"  // registered endpoints, neighbors and traversal zones
	FromLocalZone RuleSource = "LocalZone" // registered endpoints and this cluster's peers
	FromNamed     RuleSource = "Named"     // the zone or subzone SourceName
)

// SearchRule sends an alias to a zone. Rules of equal priority are all asked;
// with Stop no rule of a higher number is, once this one matched, whether its
// zone finds the alias or not. Protocol "" is any.
//
// Source: reference 7.1, 7.3.
type SearchRule struct {
	Name          string
	Priority      int
	Source        RuleSource
	SourceName    string
	Protocol      Protocol
	Authenticated bool // the request must be
	Mode          RuleMode
	Type          PatternType
	Pattern       string
	Behavior      Behavior // Leave, Strip or Replace
	Text          string
	Stop          bool
	Target        string // zone
	Disabled      bool
}
