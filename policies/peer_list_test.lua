-- a save of these fields on 192.0.2.1, which runs a cluster of two
local function save(fields)
  local c = fixture("pair")
  c.occasion = "save"
  local filled = {}
  for _, f in ipairs(fields) do
    if f ~= "" then filled[#filled + 1] = f end
  end
  c.proposed.fields, c.proposed.peer_addresses = fields, filled
  return c
end

local function named(name)
  local c = fixture("pair")
  c.proposed.name = name
  return evaluate(c)
end

function test_valid_pages()
  for _, name in ipairs({ "standalone", "create", "one", "add", "pair", "six" }) do
    expect.equal(evaluate(fixture(name)), {})
  end
end

function test_standalone_is_not_checked()
  evaluate(fixture("standalone"))
  expect.traced("standalone")
end

function test_own_address_missing()
  local found = evaluate(save({ "192.0.2.7", "192.0.2.8" }))
  expect.has_finding(found, "cluster.peers.own_missing", { severity = "error", params = { address = "192.0.2.1" } })
  expect.no_finding(found, "cluster.peers.own_unlisted")
end

function test_own_address_missing_in_a_running_cluster()
  local c = save({ "192.0.2.7", "192.0.2.8" })
  c.occasion = "periodic"
  local found = evaluate(c)
  expect.has_finding(found, "cluster.peers.own_missing", { severity = "warning" })
  expect.has_finding(found, "cluster.peers.own_unlisted", { severity = "warning" })
end

function test_own_address_by_host_name()
  expect.no_finding(evaluate(save({ "Peer1.example.com", "192.0.2.2" })), "cluster.peers.own_missing")
end

function test_own_address_by_resolution()
  local c = save({ "a.example.com", "192.0.2.2" })
  c.resolved[3] = { address = "a.example.com", ips = { "192.0.2.1" } }
  expect.no_finding(evaluate(c), "cluster.peers.own_missing")
end

function test_own_address_as_the_engine_knows_it()
  local c = save({ "a.example.com", "192.0.2.2" })
  c.peers[1].address = "a.example.com"
  expect.no_finding(evaluate(c), "cluster.peers.own_missing")
end

function test_duplicate()
  local found = evaluate(save({ "192.0.2.1", "192.0.2.2", "192.0.2.2" }))
  expect.has_finding(found, "cluster.peers.duplicate", { peer = "192.0.2.2", params = { first = 2, second = 3, address = "192.0.2.2" } })
  expect.equal(#found, 1)
end

function test_duplicate_in_another_case()
  expect.has_finding(evaluate(save({ "192.0.2.1", "b.example.com", "B.example.COM" })), "cluster.peers.duplicate")
end

function test_duplicate_by_resolution()
  local c = save({ "192.0.2.1", "192.0.2.2", "b.example.com" })
  c.resolved[3] = { address = "b.example.com", ips = { "192.0.2.2" } }
  expect.has_finding(evaluate(c), "cluster.peers.duplicate", { params = { first = 2, second = 3, address = "b.example.com" } })
end

function test_gap()
  local found = evaluate(save({ "192.0.2.1", "", "192.0.2.2", "", "192.0.2.3", "" }))
  expect.has_finding(found, "cluster.peers.gap", { params = { empty = 2, filled = 3 }, field = "Alternates Peer 2 Address" })
  expect.equal(#found, 1)
end

function test_trailing_blanks_are_no_gap()
  expect.equal(evaluate(save({ "192.0.2.1", "192.0.2.2", "", "", "", "" })), {})
end

function test_invalid_addresses()
  for _, address in ipairs({ "a b", "host", "300.1.1.1", "-a.example.com", "example.com/", "a..b", "1.2.3" }) do
    expect.has_finding(evaluate(save({ "192.0.2.1", address })), "cluster.peers.address_invalid", { severity = "error", peer = address })
  end
end

function test_wrong_family()
  local found = evaluate(save({ "192.0.2.1", "2001:db8::2" }))
  expect.has_finding(found, "cluster.peers.address_family", { params = { index = 2, address = "2001:db8::2", ip_version = "IPv4" } })
end

function test_unresolved_name_warns()
  local c = save({ "192.0.2.1", "b.example.com" })
  c.resolved[3] = { address = "b.example.com", ips = {}, failure = "no such host" }
  local found = evaluate(c)
  expect.has_finding(found, "cluster.peers.address_unresolved", { severity = "warning" })
  expect.equal(#found, 1)
end

function test_cluster_name()
  expect.has_finding(named(""), "cluster.name.missing", { severity = "warning" })
  expect.has_finding(named("bare"), "cluster.name.bare", { severity = "info" })
  for _, bad in ipairs({ "a..b", "-a.example.com", "a-.example.com", "cluster.1com", "a_b.example.com", string.rep("a.", 80) .. "com" }) do
    expect.has_finding(named(bad), "cluster.name.invalid", { severity = "warning" })
  end
  expect.equal(named("cluster-1.example.com"), {})
end

function test_a_cluster_without_name_is_refused()
  local c = fixture("create")
  c.proposed.name = ""
  expect.has_finding(evaluate(c), "cluster.name.missing", { severity = "error" })
end

function test_primary_outside_of_the_list()
  local c = fixture("pair")
  c.proposed.primary_index = 3
  expect.has_finding(evaluate(c), "cluster.primary.outside", { params = { index = 3 } })
  c.proposed.primary_index = 0
  expect.has_finding(evaluate(c), "cluster.primary.outside")
end

local function from_nothing(primary)
  local c = save({ "192.0.2.1", "192.0.2.2" })
  c.running.peer_addresses = {}
  c.proposed.primary_index = primary
  return evaluate(c)
end

function test_a_cluster_begins_as_a_cluster_of_one()
  expect.has_finding(from_nothing(1), "cluster.peers.one_first", { severity = "error" })
end

function test_a_joiner_names_all_peers_at_once()
  expect.equal(from_nothing(2), {})
end
