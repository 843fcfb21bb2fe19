local function pair(change)
  local c = fixture("pair")
  for k, v in pairs(change) do c.peers[2][k] = v end
  return evaluate(c)
end

local function own(change)
  local c = fixture("pair")
  for k, v in pairs(change) do c.self[k] = v end
  return evaluate(c)
end

function test_all_well()
  expect.equal(evaluate(fixture("six")), {})
  expect.equal(evaluate(fixture("join")), {})
end

function test_no_dns_server()
  expect.has_finding(own({ dns_servers = {}, dns_ok = false }), "cluster.base.no_dns_server", { severity = "warning", peer = "192.0.2.1" })
end

function test_dns_fails()
  local found = own({ dns_ok = false, dns_failures = { ["b.example.com"] = "refused", ["a.example.com"] = "no such host" } })
  expect.equal(#found, 1)
  expect.equal(found[1].params.failures, "a.example.com (no such host), b.example.com (refused)")
end

function test_no_ntp_server()
  expect.has_finding(own({ ntp = { servers = {}, synced = false, state = "Unconfigured" } }), "cluster.base.no_ntp_server")
end

function test_time_is_not_synchronized()
  expect.has_finding(own({ ntp = { servers = { "a" }, synced = false, state = "Failed" } }), "cluster.base.ntp_not_synchronized", {
    params = { peer = "192.0.2.1", state = "Failed" },
  })
end

function test_one_ip_version()
  expect.has_finding(pair({ ip_version = "IPv6" }), "cluster.base.ip_version_differs", {
    severity = "warning", params = { peer = "192.0.2.2", theirs = "IPv6", ours = "IPv4", other = "192.0.2.1" },
  })
  expect.equal(pair({ ip_version = "" }), {})
end

function test_a_candidate()
  local c = fixture("join")
  c.candidate.ip_version, c.candidate.dns_servers = "IPv6", {}
  local found = evaluate(c)
  expect.has_finding(found, "cluster.base.ip_version_differs", { severity = "error" })
  expect.has_finding(found, "cluster.base.no_dns_server", { severity = "warning" })
end

function test_each_peer_judges_itself()
  expect.equal(pair({ dns_servers = {}, ntp = { servers = {}, synced = false, state = "Unconfigured" } }), {})
end

function test_silent_peers_are_passed_over()
  expect.equal(pair({ reachable = false, ip_version = "IPv6" }), {})
  expect.traced("passed_over")
end
