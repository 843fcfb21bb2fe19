-- two peers by name that would pass, about to be enforced
local function ready()
  local c = fixture("pair")
  c.occasion = "save"
  c.proposed.tls_mode = "Enforcing"
  c.peers[1].address, c.peers[2].address = "peer1.example.com", "peer2.example.com"
  return c
end

function test_ready()
  expect.equal(evaluate(ready()), {})
end

function test_permissive_is_not_checked()
  expect.equal(evaluate(fixture("pair")), {})
  expect.traced("permissive")
end

function test_addresses_must_be_names()
  local c = ready()
  c.peers[2].address = "192.0.2.2"
  local found = evaluate(c)
  expect.has_finding(found, "cluster.tls.address_not_fqdn", { severity = "error", peer = "192.0.2.2" })
  expect.equal(#found, 1)
end

function test_name_in_no_san()
  local c = ready()
  c.peers[2].certificate.sans = { "other.example.com", "cluster.example.com" }
  local found = evaluate(c)
  expect.has_finding(found, "cluster.tls.name_missing", { params = { peer = "peer2.example.com", address = "peer2.example.com", sans = "other.example.com, cluster.example.com" } })
  expect.equal(#found, 1)
  c.peers[2].certificate.sans = {}
  expect.equal(evaluate(c)[1].params.sans, "-")
end

function test_case_of_names_does_not_matter()
  local c = ready()
  c.peers[2].certificate.sans = { "PEER2.example.com" }
  expect.equal(evaluate(c), {})
end

function test_untrusted_issuer()
  local c = ready()
  c.peers[2].certificate.chain_ok = false
  expect.has_finding(evaluate(c), "cluster.tls.chain_not_trusted", { severity = "error" })
end

function test_expired()
  local c = ready()
  c.peers[1].certificate.not_after = c.now - 1
  expect.has_finding(evaluate(c), "cluster.tls.certificate_invalid", { params = { peer = "peer1.example.com", reason = "expired" } })
  c.peers[1].certificate.not_after = c.now + 1
  expect.equal(evaluate(c), {})
end

function test_invalid_for_another_reason()
  local c = ready()
  c.peers[1].certificate.valid, c.peers[1].certificate.reason = false, "no client authentication"
  expect.has_finding(evaluate(c), "cluster.tls.certificate_invalid", { params = { peer = "peer1.example.com", reason = "no client authentication" } })
end

function test_a_silent_peer_warns()
  local c = ready()
  c.peers[2].reachable = false
  local found = evaluate(c)
  expect.has_finding(found, "cluster.tls.unverified", { severity = "warning" })
  expect.equal(#found, 1)
end

local function untrusted(occasion, was)
  local c = ready()
  c.occasion, c.current.tls_mode = occasion, was
  c.peers[2].certificate.chain_ok = false
  return evaluate(c)[1].severity
end

function test_what_blocks()
  expect.equal(untrusted("save", "Permissive"), "error")
  expect.equal(untrusted("join", "Enforcing"), "error")
  expect.equal(untrusted("save", "Enforcing"), "warning")
  expect.equal(untrusted("periodic", "Enforcing"), "warning")
end
