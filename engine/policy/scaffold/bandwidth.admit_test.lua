-- Every function test_* is a test. The input holds what the policy looks at.
function test_large_calls_are_capped()
  expect.equal(evaluate({ requested = 4096 }).kbps, 2048)
  expect.traced("capped")
end

function test_others_are_left_to_the_next_script()
  expect.equal(evaluate({ requested = 768 }), nil)
end
