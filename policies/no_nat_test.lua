local function changed(name, who, change)
  local c = fixture(name)
  local peer = who == 0 and c.candidate or who == 1 and c.self or c.peers[who]
  for k, v in pairs(change) do peer[k] = v end
  return evaluate(c)
end

function test_no_translation()
  expect.equal(evaluate(fixture("six")), {})
  expect.equal(evaluate(fixture("join")), {})
end

function test_seen_under_another_address()
  local change = { nat_seen = true, seen_address = "198.51.100.9" }
  expect.has_finding(changed("pair", 1, change), "cluster.nat.translated", {
    severity = "warning", params = { peer = "192.0.2.1", seen = "198.51.100.9" },
  })
  expect.has_finding(changed("join", 0, change), "cluster.nat.translated", { severity = "error", peer = "192.0.2.3" })
end

function test_single_interface_with_static_nat()
  local edge = { role = "edge", static_nat = "198.51.100.9" }
  expect.has_finding(changed("pair", 1, edge), "cluster.nat.static", { params = { peer = "192.0.2.1", nat = "198.51.100.9" } })
  expect.equal(changed("pair", 1, { static_nat = "198.51.100.9" }), {})
end

function test_two_interfaces()
  expect.equal(changed("pair", 1, { role = "edge", nics = 2, cluster_nic = "internal", static_nat = "198.51.100.9" }), {})
  expect.has_finding(changed("pair", 1, { nics = 2, cluster_nic = "external" }), "cluster.nat.external_interface")
end

function test_the_static_nat_address_is_no_peer_address()
  expect.has_finding(changed("pair", 1, { static_nat = "192.0.2.1" }), "cluster.nat.public_address", { peer = "192.0.2.1" })
end

function test_each_peer_judges_itself()
  expect.equal(changed("pair", 2, { nat_seen = true, seen_address = "198.51.100.9" }), {})
end
