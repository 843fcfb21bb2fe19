package alarm

import "time"

// holds is how long a cause must have been gone before its alarm is lowered, so
// that a link that comes and goes gives one raise and one lower. Kinds that are
// not listed are lowered at once. Every value stays below the 3 s in which an
// alarm must be gone. Source: reference/faults.md I8.
var holds = map[int]time.Duration{
	20004: time.Second,
	20006: time.Second,
	20016: time.Second,
	20021: time.Second,
	70013: 2 * time.Second,
	70023: time.Second,
}

// quiets is how long a kind stays raised after it was last raised; nobody
// lowers these. Source: reference/policy-api.md section 5.
var quiets = map[int]time.Duration{
	70001: 15 * time.Minute,
}

// byManagement lists the kinds whose events come from the process "management",
// as the seed shows for 20007; the events of the others come from "alarm".
var byManagement = map[int]bool{
	15022: true, 15028: true, 20007: true, 20020: true,
	25001: true, 25006: true, 25007: true, 25008: true, 25009: true, 25010: true,
	25011: true, 25015: true, 25017: true, 25026: true, 30025: true,
}
