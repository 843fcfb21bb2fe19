local function two(peer) peer.ntp.servers = { "192.0.2.123", "192.0.2.124" } end

function test_a_candidate_with_one_is_refused()
  local c = fixture("join")
  for _, peer in ipairs(c.peers) do two(peer) end
  local found = evaluate(c)
  expect.has_finding(found, "policy.two_ntp_servers.few", { severity = "error", peer = c.candidate.address })
  expect.equal(#found, 1)
end

function test_peers_that_are_in_are_warned_of()
  local c = fixture("pair")
  two(c.peers[1])
  expect.has_finding(evaluate(c), "policy.two_ntp_servers.few", { severity = "warning", peer = "192.0.2.2" })
end

function test_two_are_enough()
  local c = fixture("join")
  two(c.candidate)
  for _, peer in ipairs(c.peers) do two(peer) end
  expect.equal(evaluate(c), {})
end
