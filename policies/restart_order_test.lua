local function waits(answer, seconds, reason)
  expect.equal(answer, { action = "wait", seconds = seconds, reason = reason })
end

function test_the_primary_goes_first()
  expect.equal(evaluate(fixture("first")).action, "accept")
  local c = fixture("first")
  c.peer = "192.0.2.2"
  expect.rejected(evaluate(c), "primary_first")
end

function test_then_the_others()
  local c = fixture("second")
  expect.equal(evaluate(c).action, "accept")
  c.restarted = {}
  expect.rejected(evaluate(c), "primary_first")
end

function test_some_seconds_after_a_restart()
  local c = fixture("second")
  c.since_restart_s = 2
  waits(evaluate(c), 3, "after_restart")
  c.since_restart_s = 4
  waits(evaluate(c), 1, "after_restart")
  c.since_restart_s = 5
  expect.equal(evaluate(c).action, "accept")
end

function test_some_seconds_after_a_change()
  local c = fixture("first")
  c.since_change_s = 0
  waits(evaluate(c), 5, "after_change")
  c.since_change_s = -1
  expect.equal(evaluate(c).action, "accept")
end

function test_every_other_peer_is_back()
  local c = fixture("second")
  c.peers[1].reachable = false
  waits(evaluate(c), 5, "peer_not_back")
  expect.traced("not_back")
  c = fixture("second")
  c.peers[3].state = "failed"
  waits(evaluate(c), 5, "peer_not_back")
end

function test_nothing_is_held_against_a_primary_that_is_away()
  local c = fixture("second")
  c.restarted, c.peers[1].reachable = {}, false
  waits(evaluate(c), 5, "peer_not_back")
end

function test_the_peer_itself_may_be_down()
  local c = fixture("second")
  c.peers[2].reachable, c.peers[2].state = false, "failed"
  expect.equal(evaluate(c).action, "accept")
end

function test_replication_has_caught_up()
  local c = fixture("second")
  c.peers[3].config.revision = c.peers[1].config.revision - 1
  waits(evaluate(c), 5, "not_replicated")
  expect.traced("behind")
end

function test_other_steps_need_no_order()
  local c = fixture("first")
  c.peer, c.step = "192.0.2.2", "check"
  expect.equal(evaluate(c).action, "accept")
  expect.traced("stays_up")
end

function test_a_restart_that_is_asked_for_by_itself()
  local c = fixture("first")
  c.peer, c.procedure, c.since_change_s = "192.0.2.2", "restart", 0
  expect.equal(evaluate(c).action, "accept")
  expect.traced("asked_for")
end

function test_without_a_primary_in_the_list()
  local c = fixture("first")
  c.cluster.primary_index, c.peer = 9, "192.0.2.2"
  expect.equal(evaluate(c).action, "accept")
end
