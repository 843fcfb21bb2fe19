-- Every function test_* is a test. The input holds what the policy looks at.
function test_it_waits_for_the_rest_of_the_pause()
  expect.equal(evaluate({ since_restart_s = 200 }), { action = "wait", seconds = 400, reason = "pause" })
end

function test_after_the_pause_the_next_script_decides()
  expect.equal(evaluate({ since_restart_s = 600 }), nil)
end
