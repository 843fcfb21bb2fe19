package event

import (
	"maps"
	"net"
	"slices"

	"hexad/engine"
)

// kindOf gives every name of the Event Log its kind and level.
//
// Source: reference 8.3 (names in their exact spelling); the seed for
// "External Server Communications Failure".
var kindOf = map[string]struct{ kind, level string }{
	"Alarm Raised":                            {"alarm.raised", "1"},
	"Alarm Lowered":                           {"alarm.lowered", "1"},
	"Alarm Acknowledged":                      {"alarm.acknowledged", "1"},
	"Alarm Expected":                          {"alarm.expected", "1"},
	"Alarm Notification":                      {"alarm.notified", "1"},
	"Alarm Severity Changed":                  {"alarm.severity_changed", "1"},
	"Admin Session CBA Authorization Failure": {"session.certificate_refused", "1"},
	"Admin Session Finish":                    {"session.finished", "1"},
	"Admin Session Login Failure":             {"session.refused", "1"},
	"Admin Session Start":                     {"session.started", "1"},
	"Application Exit":                        {"application.exited", "1"},
	"Application Failed":                      {"application.failed", "1"},
	"Application Start":                       {"application.started", "1"},
	"Application Warning":                     {"application.warned", "1"},
	"Authorization Failure":                   {"authorization.failed", "1"},
	"Beginning System Backup":                 {"backup.begun", "1"},
	"Beginning System Restore":                {"restore.begun", "1"},
	"Completed System Backup":                 {"backup.completed", "1"},
	"Completed System Restore":                {"restore.completed", "1"},
	"Call Answer Attempted":                   {"call.answer_attempted", "1"},
	"Call Attempted":                          {"call.attempted", "1"},
	"Call Bandwidth Changed":                  {"call.bandwidth_changed", "1"},
	"Call Connected":                          {"call.connected", "1"},
	"Call Disconnected":                       {"call.disconnected", "1"},
	"Call Diverted":                           {"call.diverted", "1"},
	"Call Inactivity Timer":                   {"call.timed_out", "1"},
	"Call Rejected":                           {"call.rejected", "1"},
	"Call Rerouted":                           {"call.rerouted", "1"},
	"Certificate Management":                  {"certificate.managed", "1"},
	"Configlog Cleared":                       {"configlog.cleared", "1"},
	"Eventlog Cleared":                        {"eventlog.cleared", "1"},
	"Decode Error":                            {"message.undecodable", "1"},
	"Diagnostic Logging":                      {"diagnostics.changed", "1"},
	"External Server Communications Failure":  {"server.lost", "1"},
	"Hardware Failure":                        {"hardware.failed", "1"},
	"License Limit Reached":                   {"license.exhausted", "1"},
	"Message Rejected":                        {"message.rejected", "1"},
	"Operator Call Disconnect":                {"call.disconnected_by_operator", "1"},
	"Outbound TLS Negotiation Error":          {"tls.outbound_failed", "1"},
	"Policy Change":                           {"policy.changed", "1"},
	"POST request failed":                     {"request.post_failed", "1"},
	"Provisioning":                            {"provisioning.done", "1"},
	"Reboot Requested":                        {"reboot.requested", "1"},
	"Registration Accepted":                   {"registration.added", "1"},
	"Registration Rejected":                   {"registration.rejected", "1"},
	"Registration Removed":                    {"registration.removed", "1"},
	"Registration Requested":                  {"registration.requested", "1"},
	"Registration Refresh Rejected":           {"registration.refresh_rejected", "1"},
	"Request Failed":                          {"request.failed", "1"},
	"Request Successful":                      {"request.succeeded", "1"},
	"Restart Requested":                       {"restart.requested", "1"},
	"Search Attempted":                        {"search.attempted", "1"},
	"Search Cancelled":                        {"search.cancelled", "1"},
	"Search Completed":                        {"search.completed", "1"},
	"Secure mode disabled":                    {"secure_mode.disabled", "1"},
	"Secure mode enabled":                     {"secure_mode.enabled", "1"},
	"Security Alert":                          {"security.alerted", "1"},
	"System backup completed":                 {"backup.stored", "1"},
	"System backup error":                     {"backup.failed", "1"},
	"System backup started":                   {"backup.started", "1"},
	"System restore completed":                {"restore.done", "1"},
	"System restore error":                    {"restore.failed", "1"},
	"System restore started":                  {"restore.started", "1"},
	"System snapshot completed":               {"snapshot.completed", "1"},
	"System snapshot error":                   {"snapshot.failed", "1"},
	"System snapshot started":                 {"snapshot.started", "1"},
	"System Configuration Changed":            {"configuration.changed", "1"},
	"System Shutdown":                         {"system.stopped", "1"},
	"System Start":                            {"system.started", "1"},
	"TLS Negotiation Error":                   {"tls.failed", "1"},
	"Unregistration Accepted":                 {"registration.ended", "1"},
	"Unregistration Rejected":                 {"registration.end_rejected", "1"},
	"Unregistration Requested":                {"registration.end_requested", "1"},
	"Upgrade":                                 {"upgrade.changed", "1"},
	"Message Sent":                            {"message.sent", "2"},
	"Message Received":                        {"message.received", "2"},
	"Package Install":                         {"package.installed", "2"},
	"Relay Allocated":                         {"relay.allocated", "2"},
	"Relay Deleted":                           {"relay.deleted", "2"},
	"Relay Expired":                           {"relay.expired", "2"},
	"Request Sent":                            {"request.sent", "2"},
	"Request Received":                        {"request.received", "2"},
	"Response Sent":                           {"response.sent", "2"},
	"Response Received":                       {"response.received", "2"},
	"Search Loop detected":                    {"search.looped", "2"},
	"Registration Refresh Accepted":           {"registration.refreshed", "3"},
	"Registration Refresh Requested":          {"registration.refresh_requested", "3"},
	"Success Response Sent":                   {"response.success_sent", "3"},
	"Error Response Sent":                     {"response.error_sent", "3"},
}

// Names lists the names of the Event Log.
func Names() []string { return slices.Sorted(maps.Keys(kindOf)) }

// Named is a line of the Event Log by process with one of Names; another name
// is written at level 1 with the kind "event.logged". Time is set by Emit.
func Named(process, name, detail string, fields ...engine.Field) engine.Event {
	k, known := kindOf[name]
	if !known {
		k.kind, k.level = "event.logged", "1"
	}
	return engine.Event{Kind: k.kind, Process: process, Name: name, Level: k.level, Detail: detail, Fields: fields}
}

// By is a Named line about something that a person did: it says who and from where.
func By(actor engine.Actor, name, detail string, more ...engine.Field) engine.Event {
	return Named(processOf(actor), name, detail, slices.Concat(whence(actor), more)...)
}

// ServerLost is a failure to reach another system: service is one of the
// reference's words (H.323, SIP, LDAP, NeighbourGatekeeper, Clustering …).
func ServerLost(service, reason, detail string) engine.Event {
	return Named("tvcs", "External Server Communications Failure", detail,
		engine.Field{Name: "Reason", Value: reason}, engine.Field{Name: "Service", Value: service})
}

// processOf names the process that an administrator used.
func processOf(actor engine.Actor) string {
	switch actor.Via {
	case "web", "api":
		return webProcess
	case "ssh":
		return "ssh"
	}
	return "management"
}

// whence is the Src-ip, Src-port and User of a line; the address is left out
// for someone at this machine.
func whence(actor engine.Actor) []engine.Field {
	var out []engine.Field
	if ip, port, err := net.SplitHostPort(actor.Source); err == nil {
		out = append(out, engine.Field{Name: "Src-ip", Value: ip}, engine.Field{Name: "Src-port", Value: port})
	}
	return append(out, engine.Field{Name: "User", Value: actor.User})
}
