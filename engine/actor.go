package engine

// Actor is who asked for something and from where; it is kept in the
// configuration history and the audit.
type Actor struct {
	User   string `json:"user"`   // account name; "root" over admin.sock; "system" for hexad itself
	Via    string `json:"via"`    // web, shell, ssh, api, import, system
	Source string `json:"source"` // "ip:port", or "" for a local socket
}

// System is hexad acting by itself.
var System = Actor{User: "system", Via: "system"}
