-- Every function test_* is a test. fixture(name) is a valid input to start from.
function test_one_server_is_told()
  expect.has_finding(evaluate(fixture("pair")), "policy.NAME.one_dns_server", { peer = "192.0.2.2" })
  expect.traced("few")
end

function test_two_servers_pass()
  local c = fixture("pair")
  for _, peer in ipairs(c.peers) do peer.dns_servers = { "192.0.2.53", "192.0.2.54" } end
  expect.equal(evaluate(c), {})
end
