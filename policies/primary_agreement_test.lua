-- this system is the second of two peers
local function subordinate()
  local c = fixture("pair")
  c.peers[1].this_system, c.peers[2].this_system = false, true
  return c
end

function test_agreement()
  expect.equal(evaluate(fixture("pair")), {})
  expect.equal(evaluate(fixture("six")), {})
  expect.equal(evaluate(subordinate()), {})
end

function test_primary_index_differs()
  local c = subordinate()
  c.peers[1].config.primary_index = 2
  local found = evaluate(c)
  expect.has_finding(found, "cluster.primary.differs", { severity = "warning", params = { peer = "192.0.2.1", ours = 1, theirs = 2 } })
  expect.equal(#found, 1)
end

function test_both_are_the_primary()
  local c = fixture("pair")
  c.peers[2].config.primary_index = 2
  local found = evaluate(c)
  expect.has_finding(found, "cluster.primary.differs")
  expect.has_finding(found, "cluster.settings.primary_contested", { peer = "192.0.2.2" })
end

function test_settings_differ_from_the_primary()
  local c = subordinate()
  local theirs = c.peers[1].config
  theirs.peer_addresses = { "192.0.2.1", "192.0.2.3" }
  theirs.name, theirs.ip_version, theirs.tls_mode = "other.example.com", "IPv6", "Enforcing"
  local found = evaluate(c)
  expect.has_finding(found, "cluster.settings.peers_differ", { params = { peer = "192.0.2.1", ours = "192.0.2.1, 192.0.2.2", theirs = "192.0.2.1, 192.0.2.3" } })
  expect.has_finding(found, "cluster.settings.name_differs")
  expect.has_finding(found, "cluster.settings.ip_version_differs")
  expect.has_finding(found, "cluster.settings.tls_mode_differs", { params = { peer = "192.0.2.1", ours = "Permissive", theirs = "Enforcing" } })
  expect.equal(#found, 4)
end

function test_a_shorter_list_differs()
  local c = subordinate()
  c.peers[1].config.peer_addresses = { "192.0.2.1" }
  expect.has_finding(evaluate(c), "cluster.settings.peers_differ")
end

function test_the_primary_is_the_measure()
  local c = fixture("pair")
  c.peers[2].config.name = "other.example.com"
  expect.equal(evaluate(c), {})
end

function test_case_does_not_matter()
  local c = subordinate()
  c.peers[1].config.name = "CLUSTER.example.com"
  expect.equal(evaluate(c), {})
end

function test_who_does_not_take_part()
  for _, change in ipairs({ { reachable = false }, { state = "joining" }, { config = { peer_addresses = {} } } }) do
    local c = fixture("pair")
    c.peers[2].config.primary_index = 2
    for k, v in pairs(change) do c.peers[2][k] = v end
    expect.equal(evaluate(c), {})
    expect.traced("passed_over")
  end
end

function test_only_the_periodic_run()
  local c = fixture("pair")
  c.occasion = "save"
  c.peers[2].config.primary_index = 2
  expect.equal(evaluate(c), {})
  expect.traced("not_running_yet")
end

function test_standalone()
  expect.equal(evaluate(fixture("standalone")), {})
  expect.traced("standalone")
end
