local function restarting(changes)
  local c = fixture("restarting")
  for k, v in pairs(changes) do c.alarm[k] = v end
  return evaluate(c)
end

function test_a_peer_that_restarts_is_missed()
  expect.equal(evaluate(fixture("restarting")), { { act = "expect", for_s = 300, reason = "procedure_restart" } })
end

function test_other_procedures_take_longer()
  local c = fixture("restarting")
  c.procedure.kind = "upgrade"
  expect.equal(evaluate(c)[1].for_s, 1200)
  c.procedure.kind = "add_peer"
  expect.equal(evaluate(c)[1].for_s, 600)
end

function test_without_a_procedure_nothing_is_expected()
  expect.equal(evaluate(fixture("raised")), nil)
end

function test_other_alarms_are_not_explained()
  expect.equal(restarting({ id = 15005 }), nil)
  expect.traced("not_explained")
end

function test_peers_that_the_procedure_does_not_touch()
  expect.equal(restarting({ peer = "192.0.2.6" }), nil)
  expect.traced("another_peer")
  local c = fixture("restarting")
  c.procedure.peers = {}
  expect.equal(evaluate(c)[1].act, "expect")
end

function test_the_others_miss_the_peer_that_restarts()
  expect.equal(#restarting({ peer = "192.0.2.1", params = { peers = "192.0.2.2" } }), 1)
  expect.equal(#restarting({ peer = "192.0.2.1" }), 1)
end

function test_another_peer_that_is_lost_meanwhile()
  expect.equal(restarting({ peer = "192.0.2.1", params = { peers = "192.0.2.2 192.0.2.3" } }), nil)
  expect.traced("another_peer")
end

function test_only_when_it_is_raised()
  local c = fixture("restarting")
  c.event = "lowered"
  expect.equal(evaluate(c), nil)
end
