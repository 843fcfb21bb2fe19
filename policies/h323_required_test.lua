local ID = "cluster.config.h323_mode_off"

local function off(name)
  local c = fixture(name)
  c.peers[#c.peers].h323_mode = false
  return c
end

function test_all_on()
  expect.equal(evaluate(fixture("pair")), {})
  expect.under(600)
end

function test_standalone_may_have_it_off()
  expect.equal(evaluate(off("standalone")), {})
  expect.traced("standalone")
end

function test_creating_a_cluster_is_refused()
  local found = evaluate(off("create"))
  expect.has_finding(found, ID, { severity = "error", peer = "192.0.2.1", params = { peer = "192.0.2.1" } })
  expect.equal(found[1].fix.to, "On")
end

function test_adding_a_peer_is_refused()
  expect.has_finding(evaluate(off("add")), ID, { severity = "error", peer = "192.0.2.2" })
end

function test_joining_is_refused()
  local c = off("pair")
  c.occasion = "join"
  expect.has_finding(evaluate(c), ID, { severity = "error" })
end

function test_a_running_cluster_is_warned()
  expect.has_finding(evaluate(off("pair")), ID, { severity = "warning" })
end

function test_changing_a_running_cluster_is_not_refused()
  local c = off("pair")
  c.occasion = "save"
  expect.has_finding(evaluate(c), ID, { severity = "warning" })
end

function test_only_the_peer_that_has_it_off()
  local found = evaluate(off("six"))
  expect.equal(#found, 1)
  expect.equal(found[1].peer, "192.0.2.6")
end

function test_an_unreachable_peer_is_passed_over()
  local c = off("pair")
  c.peers[2].reachable = false
  expect.no_finding(evaluate(c), ID)
  expect.traced("peer_unreachable")
end
