---@meta hexad
-- Written from the hooks by the tests of engine/policy (make golden). Do not edit.

-- cluster.validate: Before a clustering page is saved, and on every peer each 60 s.
-- Findings. An error refuses the save; an error or a warning raises its alarm.

---@class hexad.hardware
---@field class string equal on peers that fit together
---@field size "small"|"medium"|"large"|"appliance" its size

---@class hexad.ntp
---@field servers string[] its NTP servers
---@field synced boolean whether its time is synchronized
---@field offset_ms number how far its clock is off, in ms
---@field state string the state in words

---@class hexad.key
---@field family string what the key unlocks
---@field count? integer how many it grants; nil for a feature

---@class hexad.certificate
---@field valid boolean whether it passes
---@field reason string why it does not
---@field not_after integer its end, unix seconds; 0 when unknown
---@field cn string common name of the certificate
---@field sans string[] subject alternative names of the certificate
---@field chain_ok boolean whether this peer trusts the chain

---@class hexad.peer_config
---@field name string the cluster name
---@field primary_index integer the entry that is the configuration primary
---@field ip_version "IPv4"|"IPv6" the cluster IP version
---@field peer_addresses string[] the peer addresses, without gaps
---@field tls_mode "Permissive"|"Enforcing" the TLS verification mode
---@field revision integer the configuration revision that it has

---@class hexad.peer
---@field index integer its entry in the list from 1, 0 when it is not listed
---@field address string its address as listed
---@field this_system boolean whether it is this peer
---@field state "active"|"failed"|"unknown"|"joining" how this peer sees it
---@field reachable boolean whether it answers; what follows is as last heard when it does not
---@field rtt_ms? number round trip from this peer in ms; nil when not measured
---@field rtts table<string, number> round trips that it measured to the other addresses, in ms
---@field version string its software version
---@field product "expressway"|"vcs" its product
---@field role "core"|"edge" what it is deployed as
---@field hardware hexad.hardware what it runs on
---@field h323_mode boolean whether H.323 mode is on
---@field nics integer network interfaces in use
---@field cluster_nic "single"|"internal"|"external" which of them the cluster uses
---@field static_nat? string its public address under static NAT; nil without
---@field seen_address? string where its packets come from; nil when unknown
---@field nat_seen boolean whether its packets come from an address that it does not have
---@field ip_version "IPv4"|"IPv6" its cluster IP version
---@field addresses string[] its own IP addresses
---@field system_name string its system name
---@field host_name string its host name
---@field domain string its DNS domain
---@field dns_ok boolean whether it resolves every peer
---@field dns_servers string[] its DNS servers
---@field dns_failures table<string, string> names that it cannot resolve, with the reason
---@field ntp hexad.ntp whether its time is right
---@field upgraded_since_install boolean whether a software image for a factory reset is there
---@field keys hexad.key[] its option keys
---@field certificate hexad.certificate its server certificate
---@field config hexad.peer_config what its own clustering page says
---@field restart_pending boolean whether saved values wait for a restart

---@class hexad.cluster
---@field name string the cluster name
---@field ip_version "IPv4"|"IPv6" the cluster IP version
---@field tls_mode "Permissive"|"Enforcing" the TLS verification mode
---@field primary_index integer the entry that is the configuration primary
---@field size integer addresses in the running list
---@field mapping_enabled boolean whether the cluster address mapping is on

---@class hexad.mapping
---@field fqdn string the public name
---@field ip string the address that peers use for it

---@class hexad.config
---@field name string the cluster name
---@field primary_index integer the entry that is the configuration primary
---@field ip_version "IPv4"|"IPv6" the cluster IP version
---@field tls_mode "Permissive"|"Enforcing" the TLS verification mode
---@field peer_addresses string[] the peer addresses, without gaps
---@field fields string[] the six address fields as typed, "" for a blank one
---@field mapping_enabled boolean whether the cluster address mapping is on
---@field mapping hexad.mapping[] pairs of the cluster address mapping

---@class hexad.resolution
---@field address string the address as listed
---@field ips string[] what it resolves to
---@field failure? string why it does not resolve; nil when it does

---@class hexad.neighbour
---@field zone string name of the zone
---@field type string type of the zone
---@field addresses string[] the systems that it names

---@class hexad.input.cluster_validate
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self hexad.peer this peer
---@field cluster hexad.cluster the cluster as it runs here
---@field occasion "save"|"join"|"keys"|"periodic" why the question is asked; in a save or a join an error blocks
---@field current hexad.config the page as saved before
---@field proposed hexad.config the page as it shall be; equal to current in the periodic run
---@field running hexad.config the page in effect
---@field restart_pending boolean whether saved values wait for a restart
---@field peers hexad.peer[] the peers that are in, this one among them
---@field changed string[] names of the fields that change
---@field resolved hexad.resolution[] what the resolver knows of each address
---@field neighbours hexad.neighbour[] zones that name other systems
---@field procedure? string kind of what was begun last on any peer, within ten minutes; nil for nothing

---@class hexad.finding_fix
---@field page? string page of the console
---@field set? string item to set
---@field to? string the severity to give it, or whom to notify: the line Alarm Notification of the event log names them

---@class hexad.finding
---@field id string id of the catalogue, or of the script's own text
---@field severity "info"|"warning"|"error" error blocks and alarms, warning alarms, info is shown
---@field field? string configuration item that it is about
---@field fix? hexad.finding_fix what would make it go away
---@field params? table<string, string> values for the {names} in the text
---@field peer? string address of the peer that it is about

---@alias hexad.answer.cluster_validate_type hexad.finding[]

-- keys.compare: When an option key changes, before a join, and each 60 s.
-- Findings. An error refuses the join.

---@class hexad.input.keys_compare
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self hexad.peer this peer
---@field cluster hexad.cluster the cluster as it runs here
---@field occasion "save"|"join"|"keys"|"periodic" why the question is asked; in a save or a join an error blocks
---@field product "expressway"|"vcs" the product, which decides what is pooled
---@field peers hexad.peer[] the peers that are in, this one among them

---@alias hexad.answer.keys_compare_type hexad.finding[]

-- peer.prerequisites: Before a peer joins, and on every peer each 60 s.
-- Findings. An error refuses the join.

---@class hexad.prerequisite_limits
---@field rtt_ms number longest round trip in ms
---@field peers integer most peers

---@class hexad.input.peer_prerequisites
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self hexad.peer this peer
---@field cluster hexad.cluster the cluster as it runs here
---@field occasion "save"|"join"|"keys"|"periodic" why the question is asked; in a save or a join an error blocks
---@field candidate? hexad.peer the peer that would join; nil in the periodic run
---@field peers hexad.peer[] the peers that are in, this one among them
---@field limits hexad.prerequisite_limits the limits of a cluster
---@field procedure? string kind of what was begun last on any peer, within ten minutes; nil for nothing

---@alias hexad.answer.peer_prerequisites_type hexad.finding[]

-- peer.identity: On each peer when a TLS session of the cluster is verified, after the chain was.
-- accept with the name that proved it, or reject with a reason; nil leaves it to the next script, and so does accept in a script of the site: the built-in has the last word.

---@class hexad.input.peer_identity
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self hexad.peer this peer
---@field cluster hexad.cluster the cluster as it runs here
---@field configured_address string what this peer's list calls the other side
---@field source_ip string IP address that it comes from
---@field mapping hexad.mapping[] pairs of the cluster address mapping
---@field sans string[] subject alternative names of the certificate
---@field cn string common name of the certificate
---@field names string[] the SANs, then the CN
---@field tls_mode "Permissive"|"Enforcing" the TLS verification mode
---@field chain_ok boolean whether this peer trusts the chain

---@class hexad.answer.peer_identity
---@field action "accept"|"reject" what to do
---@field name? string the certificate's name that proved it
---@field reason? string why, as a code of your own

---@alias hexad.answer.peer_identity_type hexad.answer.peer_identity|nil

-- cluster.peers_changed: On the peer where the peer list was saved.
-- What happens to the factory reset; nil leaves it to the next script. arm only answers a list that was cleared, disarm peers that are back, keep_armed what is armed.

---@class hexad.armed_reset
---@field armed boolean whether a reset is armed
---@field armed_from string[] the addresses that were cleared, in order

---@class hexad.input.cluster_peers_changed
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self hexad.peer this peer
---@field cluster hexad.cluster the cluster as it runs here
---@field previous hexad.config the page before
---@field proposed hexad.config the page as saved now
---@field reset hexad.armed_reset the factory reset that is armed
---@field reset_image "present"|"missing" whether the image for a reset is there

---@class hexad.answer.cluster_peers_changed
---@field reset "arm"|"disarm"|"keep_armed"|"none" what happens to the factory reset
---@field banner? string id of the banner on every page
---@field blocked? string why the reset cannot be carried out now
---@field keep? string[] what the reset keeps, from the closed list

---@alias hexad.answer.cluster_peers_changed_type hexad.answer.cluster_peers_changed|nil

-- procedure.gate: Before each step of a procedure, on the peer that runs it: a guided one, or what an administrator does to the cluster by itself.
-- accept, wait with seconds and a reason, or reject.

---@class hexad.input.procedure_gate
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self hexad.peer this peer
---@field cluster hexad.cluster the cluster as it runs here
---@field procedure string what is done: rolling_restart, upgrade; or what an administrator asks for by itself: create_cluster, join_cluster, add_peer, remove_peer, change_primary, tls_mode, factory_reset, restart, import, force_config_update, restore, purge
---@field step string the step: save, admit, arm, restart, import, force, restore, purge, or one of a guided procedure
---@field peer string address of the peer that it is about
---@field peers hexad.peer[] the peers that are in, this one among them
---@field restarted string[] addresses of the peers that started after the last change
---@field since_change_s integer seconds since the last change of the configuration, -1 when unknown
---@field since_restart_s integer seconds since the last restart of any peer, -1 when unknown

---@class hexad.answer.procedure_gate
---@field action "accept"|"wait"|"reject" what to do
---@field reason? string why, as a code of your own
---@field seconds? number how long, in seconds

---@alias hexad.answer.procedure_gate_type hexad.answer.procedure_gate|nil

-- capacity.limit: On every peer, when members, whether they answer, their sizes, licences or the rules change, and each minute while a peer is lost.
-- What the cluster can carry.

---@class hexad.capacity_peer
---@field address string its address
---@field size "small"|"medium"|"large"|"appliance" its size
---@field calls_capacity integer calls that it can carry
---@field registrations_capacity integer registrations that it can carry
---@field reachable boolean whether it answers
---@field unseen_s integer seconds, in whole minutes, since any member saw it last; 0 while it answers
---@field licences table<string, integer> pooled licences that are installed on it, by kind

---@class hexad.input.capacity_limit
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self hexad.peer this peer
---@field cluster hexad.cluster the cluster as it runs here
---@field peers hexad.capacity_peer[] the peers
---@field licences table<string, integer> licences of all peers by kind, those of lost peers too; unlimited ones are not in it

---@class hexad.answer.capacity_limit_lost
---@field peer string address of the peer that it is about
---@field left_s number seconds that they stay; 0 or less: since when they have left it
---@field warn? boolean whether an alarm says so before they leave it

---@class hexad.answer.capacity_limit
---@field calls number calls that the cluster can carry
---@field registrations number registrations that the cluster can carry
---@field counted_peers? number peers that add capacity
---@field lost? hexad.answer.capacity_limit_lost[] how long the licences of each lost peer stay in the pool; without it 14 days
---@field reason? string why, as a code of your own

---@alias hexad.answer.capacity_limit_type hexad.answer.capacity_limit|nil

-- registration.admit: On the peer that got a registration.
-- accept, with a subzone and a lifetime if you like, or reject with code and reason; nil leaves it to the next script.

---@class hexad.licence
---@field type ""|"room"|"desktop" kind of licence, "" when none is needed
---@field free integer licences that are left

---@class hexad.input.registration_admit
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self? hexad.peer this peer
---@field cluster? hexad.cluster the cluster as it runs here
---@field aliases string[] the aliases that would be registered
---@field protocol "sip"|"h323" signalling protocol
---@field source_ip string IP address that it comes from
---@field authenticated boolean whether the sender proved who it is
---@field subzone string subzone that the configuration gives it
---@field restriction "none"|"allow_list"|"deny_list" the restriction policy in force
---@field listed? "allow"|"deny" the list that names it; nil for none
---@field refresh boolean whether it refreshes a live registration
---@field elsewhere? string address of the peer that holds the alias already; nil for none
---@field conflict "reject"|"overwrite" the H.323 alias conflict mode
---@field licence hexad.licence the licence that it would take

---@class hexad.answer.registration_admit
---@field action "accept"|"reject" what to do
---@field code? number status code told to the caller
---@field reason? string why, as a code of your own
---@field subzone? string subzone that the registration is put in
---@field ttl? number seconds that the registration lives, 60 to 86,400

---@alias hexad.answer.registration_admit_type hexad.answer.registration_admit|nil

-- call.admit: Before a call is searched for.
-- accept, or reject with code and reason; nil leaves it to the next script.

---@class hexad.source
---@field alias string alias of the caller, "" when it gives none
---@field zone string zone or subzone that it comes from
---@field zone_type string type of the zone
---@field ip string IP address
---@field authenticated boolean whether the sender proved who it is

---@class hexad.input.call_admit
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self? hexad.peer this peer
---@field cluster? hexad.cluster the cluster as it runs here
---@field alias string the alias that is called, normalised
---@field source hexad.source who calls
---@field protocol "sip"|"h323" signalling protocol
---@field hops integer hops that are left

---@class hexad.answer.call_admit
---@field action "accept"|"reject" what to do
---@field code? number status code told to the caller
---@field reason? string why, as a code of your own

---@alias hexad.answer.call_admit_type hexad.answer.call_admit|nil

-- search.transform: Before the search, after the configured transforms; each script gets the alias that the one before left.
-- nil (unchanged), an alias, or reject.

---@class hexad.input.search_transform
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self? hexad.peer this peer
---@field cluster? hexad.cluster the cluster as it runs here
---@field alias string the alias that is called, normalised
---@field dialled string the alias as the caller gave it
---@field source hexad.source who calls
---@field protocol "sip"|"h323" signalling protocol
---@field hops integer hops that are left

---@class hexad.answer.search_transform
---@field action? "reject" what to do
---@field alias? string alias to search there
---@field code? number status code told to the caller
---@field reason? string why, as a code of your own

---@alias hexad.answer.search_transform_type hexad.answer.search_transform|nil

-- search.route: After the search rules gave their candidates.
-- nil (the candidates as they are), route with targets, reject, or skip.

---@class hexad.route_candidate
---@field zone string name of the zone
---@field zone_type string type of the zone
---@field zone_state "active"|"failed"|"checking"|"off" state of the zone
---@field alias string alias to search for there
---@field rule string search rule that gave it
---@field priority integer priority of the rule; lower is earlier
---@field stop boolean whether the search stops here on a match

---@class hexad.input.search_route
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self? hexad.peer this peer
---@field cluster? hexad.cluster the cluster as it runs here
---@field alias string the alias that is called, normalised
---@field source hexad.source who calls
---@field protocol "sip"|"h323" signalling protocol
---@field hops integer hops that are left
---@field candidates hexad.route_candidate[] targets that the search rules gave, in order
---@field bandwidth integer bandwidth asked for, kbit/s

---@class hexad.answer.search_route_targets
---@field zone string zone to search
---@field alias string alias to search there
---@field priority? number priority of the rule; lower is earlier
---@field rule? string search rule that gave it
---@field stop? boolean whether the search stops here on a match
---@field zone_state? string state of the zone
---@field zone_type? string type of the zone

---@class hexad.answer.search_route
---@field action "route"|"reject"|"skip" what to do
---@field code? number status code told to the caller
---@field continue? boolean whether the search goes on with the other candidates when these fail
---@field detail? string more on the reason, for the history
---@field reason? string why, as a code of your own
---@field targets? hexad.answer.search_route_targets[] where to search, in this order

---@alias hexad.answer.search_route_type hexad.answer.search_route|nil

-- findme.resolve: When a FindMe ID is called.
-- Who rings, group by group.

---@class hexad.find_me_device
---@field alias string alias of the device
---@field role "primary"|"busy"|"noanswer" when it rings
---@field registered boolean whether it is registered
---@field in_call boolean whether it is in a call

---@class hexad.local_time
---@field hour integer 0 to 23
---@field minute integer 0 to 59
---@field weekday integer 1 (Monday) to 7

---@class hexad.input.findme_resolve
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self? hexad.peer this peer
---@field cluster? hexad.cluster the cluster as it runs here
---@field findme_id string the FindMe ID that is called
---@field caller hexad.source who calls
---@field devices hexad.find_me_device[] devices of the FindMe ID
---@field local_time hexad.local_time the time where its owner is
---@field ring_seconds integer configured ring time in seconds

---@class hexad.answer.findme_resolve_rings
---@field aliases string[] devices that ring together
---@field seconds number how long, in seconds

---@class hexad.answer.findme_resolve
---@field rings hexad.answer.findme_resolve_rings[] who rings, one group after the other

---@alias hexad.answer.findme_resolve_type hexad.answer.findme_resolve|nil

-- bandwidth.admit: When a call asks for bandwidth.
-- accept with kbps, or reject; never more than the path has left.

---@class hexad.path_pipe
---@field pipe string name of the pipe
---@field total integer its limit, kbit/s; 0 for none
---@field used integer what calls hold of it, kbit/s
---@field per_call_max integer limit of one call, kbit/s; 0 for none
---@field closed boolean whether nothing may pass

---@class hexad.input.bandwidth_admit
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self? hexad.peer this peer
---@field cluster? hexad.cluster the cluster as it runs here
---@field requested integer what the call asks for, kbit/s; 0 when it names none
---@field default integer what counts when it names none, kbit/s
---@field path hexad.path_pipe[] the limits on its path
---@field downspeed_per_call boolean whether a limit for each call may lower it
---@field downspeed_total boolean whether a total limit may lower it

---@class hexad.answer.bandwidth_admit
---@field action "accept"|"reject" what to do
---@field kbps? number bandwidth granted, kbit/s
---@field reason? string why, as a code of your own

---@alias hexad.answer.bandwidth_admit_type hexad.answer.bandwidth_admit|nil

-- alarm.react: On the primary, when an alarm of any peer is raised, lowered or acknowledged, when the time is over until which it was expected, and when the rules change. A peer without the primary for 10 s asks about its own alarms.
-- A list of acts: notify, severity, expect, suggest.

---@class hexad.alarm
---@field id integer its number
---@field severity "emergency"|"alert"|"critical"|"error"|"warning"|"notice"|"info"|"debug" its severity
---@field peer string address of the peer that raised it
---@field params table<string, string> its parameters
---@field count integer how often it was raised
---@field first integer when it was raised first, unix seconds
---@field acknowledged boolean whether a person has acknowledged it

---@class hexad.procedure
---@field kind string its kind
---@field step string the step: save, admit, arm, restart, import, force, restore, purge, or one of a guided procedure
---@field peer string address of the peer that it is about
---@field peers string[] addresses of the peers that it touches
---@field started integer when it began, unix seconds

---@class hexad.input.alarm_react
---@field now integer the time of the decision, unix seconds
---@field revision integer the policy revision that answers
---@field self hexad.peer this peer
---@field cluster hexad.cluster the cluster as it runs here
---@field event "raised"|"lowered"|"acknowledged" what happened to the alarm
---@field alarm hexad.alarm the alarm
---@field procedure? hexad.procedure what was begun last on any peer, within ten minutes; nil for nothing

---@class hexad.answer.alarm_react
---@field act "notify"|"severity"|"expect"|"suggest" what to do with the alarm
---@field for_s? number for how many seconds it is expected: listed, and calling nobody
---@field procedure? string what to suggest beside the remedy: a procedure such as restart or force_config_update, or words of your own
---@field reason? string why, as a code of your own
---@field to? string the severity to give it, or whom to notify: the line Alarm Notification of the event log names them

---@alias hexad.answer.alarm_react_type hexad.answer.alarm_react[]|nil

-- A policy: what policy{…} returns, with its evaluate.
---@class hexad.text
---@field en string
---@field ja? string

---@class hexad.policy
---@field name string equals the file's name
---@field api integer 1
---@field hook string where it is asked
---@field order integer earlier first; site scripts take 200 to 899
---@field title hexad.text
---@field text? table<string, hexad.text> texts of its own findings, by id policy.NAME.WORD
---@field uses? { data: string[] } data tables that it reads
---@field evaluate? fun(c: table): any

--- Declares the policy; once in a file.
---@param t hexad.policy
---@return hexad.policy
function policy(t) end

--- Adds a line to the explanation of the decision; at most 64.
---@param code string
---@param params? table<string, string|number|boolean>
function why(code, params) end

--- Writes a line to the event log at level DEBUG; 10 a second for each script.
---@param text string
function log(text) end

--- A data table that policy{uses} declares, read-only.
---@param name string
---@return table<string, string>
function data(name) end

--- Answers accept.
---@param t? table
---@return table
function accept(t) end

--- Answers reject.
---@param t? table
---@return table
function reject(t) end

--- Answers route.
---@param t? table
---@return table
function route(t) end

--- Answers skip.
---@param t? table
---@return table
function skip(t) end

re = {}

--- Matches an RE2 pattern: the whole match, then its groups; nil without one.
---@param pattern string
---@param s string
---@return string? whole, string? ...
function re.match(pattern, s) end

--- Replaces every match; by may name groups as $1 or ${1}.
---@param pattern string
---@param s string
---@param by string
---@return string
function re.replace(pattern, s, by) end

alias = {}

--- What stands before the @, or all of it.
---@param a string
---@return string
function alias.user(a) end

--- What stands after the @, "" without one.
---@param a string
---@return string
function alias.domain(a) end

--- The number that the alias is, without its +; nil when it is none.
---@param a string
---@return string?
function alias.e164(a) end

--- Whether it has the form user@domain.
---@param a string
---@return boolean
function alias.is_uri(a) end

--- Lower case, without scheme and parameters.
---@param a string
---@return string
function alias.normalize(a) end

ip = {}

--- Whether an address is in a prefix.
---@param address string
---@param prefix string
---@return boolean
function ip.in_cidr(address, prefix) end

--- Whether an address is private, loopback or link-local.
---@param address string
---@return boolean
function ip.is_private(address) end

--- The address family; nil when it is no address.
---@param address string
---@return "IPv4"|"IPv6"|nil
function ip.family(address) end

fqdn = {}

--- Compares as certificates do: * for one whole left-most label.
---@param pattern string
---@param host string
---@return boolean
function fqdn.match(pattern, host) end

--- Whether it is a name of two labels or more.
---@param s string
---@return boolean
function fqdn.is_fqdn(s) end

version = {}

--- Compares software versions part by part.
---@param a string
---@param b string
---@return boolean
function version.less(a, b) end

--- Whether two software versions are equal.
---@param a string
---@param b string
---@return boolean
function version.equal(a, b) end

--- The first part of a software version.
---@param v string
---@return integer
function version.major(v) end

list = {}

--- Whether a list contains a value.
---@param t any[]
---@param x any
---@return boolean
function list.contains(t, x) end

--- Where a value stands in a list; nil when it does not.
---@param t any[]
---@param x any
---@return integer?
function list.index(t, x) end

--- Whether two lists are equal, in order.
---@param a any[]
---@param b any[]
---@return boolean
function list.same(a, b) end

--- Whether two lists hold the same values in any order.
---@param a any[]
---@param b any[]
---@return boolean
function list.same_set(a, b) end

--- The policy's evaluate, on a read-only copy of the input; its answer is checked as in service.
---@param c table
---@return any
function evaluate(c) end

--- A valid input of the hook, freshly built.
---@param name string
---@return table
function fixture(name) end

--- Fills a data table for the rest of the test.
---@param name string
---@param t table<string, string>
function with_data(name, t) end

expect = {}

--- Deep comparison.
---@param got any
---@param want any
function expect.equal(got, want) end

--- Neither nil nor false.
---@param v any
function expect.truthy(v) end

--- nil or false.
---@param v any
function expect.falsy(v) end

--- A finding of that id, with those fields.
---@param list table
---@param id string
---@param fields? table
function expect.has_finding(list, id, fields) end

--- No finding of that id.
---@param list table
---@param id string
function expect.no_finding(list, id) end

--- A reject, for that reason.
---@param answer table
---@param reason? string
function expect.rejected(answer, reason) end

--- A route to those zones, in order.
---@param answer table
---@param ... string
function expect.routed(answer, ...) end

--- The last evaluate called why with that code.
---@param code string
function expect.traced(code) end

--- The function raises an error that matches the Lua pattern.
---@param fn function
---@param pattern? string
function expect.raises(fn, pattern) end

--- The last evaluate took fewer instructions.
---@param instructions integer
function expect.under(instructions) end
