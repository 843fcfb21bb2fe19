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

function test_licences_of_a_lost_peer_stay_for_a_fortnight()
  local c = fixture("four")
  for _, peer in ipairs(c.peers) do peer.licences = { room_registrations = 100 } end
  expect.equal(evaluate(c).registrations, 400)
  expect.falsy(evaluate(c).lost)
  c.peers[4].reachable = false
  for _, case in ipairs({ { 60, false, 400 }, { 360, true, 400 }, { 13 * 86400, true, 400 }, { 14 * 86400 - 60, true, 400 }, { 14 * 86400, true, 300 }, { 30 * 86400, true, 300 } }) do
    c.peers[4].unseen_s = case[1]
    local d = evaluate(c)
    expect.equal(d.lost, { { peer = c.peers[4].address, left_s = 14 * 86400 - case[1], warn = case[2] } })
    expect.equal(d.registrations, case[3])
  end
  expect.traced("licences_lapsed")
end

function test_the_last_licences_that_lapse_leave_none()
  local c = fixture("four")
  c.peers[4].licences, c.peers[4].reachable, c.peers[4].unseen_s = { room_registrations = 100 }, false, 14 * 86400
  expect.equal(evaluate(c).registrations, 0)
  expect.equal(evaluate(c).reason, "licences")
end

function test_a_lost_peer_without_licences_is_not_told_of()
  local c = fixture("four")
  c.peers[4].reachable, c.peers[4].unseen_s = false, 3600
  expect.falsy(evaluate(c).lost)
end

function test_registrations_need_licences()
  local c = fixture("four")
  c.peers[1].licences = { room_registrations = 100, desktop_registrations = 50 }
  expect.equal(evaluate(c).registrations, 150)
  expect.equal(evaluate(c).reason, "licences")
  c.peers[1].licences = { desktop_registrations = 20000 }
  expect.equal(evaluate(c).registrations, 10000)
  expect.equal(evaluate(fixture("licensed")).registrations, 10000)
end

function test_without_peers_there_is_no_answer()
  local c = fixture("one")
  c.peers = {}
  expect.equal(evaluate(c), nil)
end
