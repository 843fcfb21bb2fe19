-- two peers on private addresses with a whole mapping
local function mapped()
  local c = fixture("pair")
  c.occasion = "save"
  c.proposed.mapping_enabled = true
  c.proposed.mapping = { { fqdn = "peer1.example.com", ip = "10.0.0.1" }, { fqdn = "peer2.example.com", ip = "10.0.0.2" } }
  for i, peer in ipairs(c.peers) do
    peer.address, peer.addresses = "peer" .. i .. ".example.com", { "10.0.0." .. i }
  end
  return c
end

function test_whole()
  expect.equal(evaluate(mapped()), {})
end

function test_off_or_standalone()
  local c = mapped()
  c.proposed.mapping_enabled, c.proposed.mapping = false, {}
  expect.equal(evaluate(c), {})
  expect.traced("not_used")
end

function test_a_peer_without_a_pair()
  local c = mapped()
  c.proposed.mapping[2] = nil
  expect.has_finding(evaluate(c), "cluster.mapping.missing", { severity = "warning", peer = "peer2.example.com" })
end

function test_a_pair_by_address()
  local c = mapped()
  c.peers[2].address = "10.0.0.2"
  expect.equal(evaluate(c), {})
end

function test_incomplete_pairs()
  for _, bad in ipairs({ { fqdn = "", ip = "10.0.0.3" }, { fqdn = "c.example.com", ip = "" }, { fqdn = "bare", ip = "10.0.0.3" } }) do
    local c = mapped()
    c.proposed.mapping[3] = bad
    expect.has_finding(evaluate(c), "cluster.mapping.incomplete", { severity = "error", params = { index = 3 } })
  end
end

function test_duplicates()
  local c = mapped()
  c.proposed.mapping[3] = { fqdn = "PEER1.example.com", ip = "10.0.0.2" }
  local found = evaluate(c)
  expect.has_finding(found, "cluster.mapping.duplicate", { severity = "error", params = { first = 1, second = 3, value = "PEER1.example.com" } })
  expect.has_finding(found, "cluster.mapping.duplicate", { params = { first = 2, second = 3, value = "10.0.0.2" } })
end

function test_public_addresses()
  local c = mapped()
  c.proposed.mapping[2].ip = "203.0.113.2"
  expect.has_finding(evaluate(c), "cluster.mapping.public_address", { severity = "warning" })
end

function test_the_certificate_needs_the_name()
  local c = mapped()
  c.peers[2].certificate.sans = { "other.example.com" }
  expect.has_finding(evaluate(c), "cluster.mapping.not_in_certificate", { params = { peer = "peer2.example.com", name = "peer2.example.com" } })
  c.peers[2].reachable = false
  expect.equal(evaluate(c), {})
end

function test_the_periodic_run_warns()
  local c = mapped()
  c.occasion = "periodic"
  c.proposed.mapping[2].ip = ""
  expect.has_finding(evaluate(c), "cluster.mapping.incomplete", { severity = "warning" })
end
