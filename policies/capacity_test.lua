function test_each_peer_adds_up_to_the_fourth()
  expect.equal(evaluate(fixture("one")), { calls = 150, registrations = 2500, counted_peers = 1 })
  expect.equal(evaluate(fixture("four")), { calls = 600, registrations = 10000, counted_peers = 4 })
  expect.equal(evaluate(fixture("six")), { calls = 600, registrations = 10000, counted_peers = 4, reason = "four_counted" })
end

function test_small_machines_add_nothing()
  expect.equal(evaluate(fixture("small")), { calls = 150, registrations = 2500, counted_peers = 1, reason = "small_machines" })
  local c = fixture("four")
  c.peers[3].size = "small"
  expect.equal(evaluate(c).counted_peers, 1)
end

function test_one_small_machine_is_one()
  local c = fixture("one")
  c.peers[1].size = "small"
  expect.equal(evaluate(c), { calls = 150, registrations = 2500, counted_peers = 1 })
end

function test_the_smallest_counts()
  local c = fixture("four")
  c.peers[2].calls_capacity, c.peers[4].registrations_capacity = 100, 1000
  local d = evaluate(c)
  expect.equal(d.calls, 400)
  expect.equal(d.registrations, 4000)
end

function test_a_lost_peer_carries_nothing()
  local c = fixture("four")
  c.peers[4].reachable = false
  expect.equal(evaluate(c).calls, 450)
  expect.traced("peer_unreachable")
end

function test_alone_this_peer_carries_what_it_can()
  local c = fixture("four")
  for _, peer in ipairs(c.peers) do peer.reachable = false end
  expect.equal(evaluate(c).calls, 150)
end

function test_registrations_need_licences()
  local c = fixture("four")
  c.licences = { room_registrations = 100, desktop_registrations = 50 }
  expect.equal(evaluate(c).registrations, 150)
  expect.equal(evaluate(c).reason, "licences")
  c.licences = { desktop_registrations = 20000 }
  expect.equal(evaluate(c).registrations, 10000)
  expect.equal(evaluate(fixture("licensed")).registrations, 10000)
end

function test_without_peers_there_is_no_answer()
  local c = fixture("one")
  c.peers = {}
  expect.equal(evaluate(c), nil)
end
