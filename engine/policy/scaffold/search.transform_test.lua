-- Every function test_* is a test. The input holds what the policy looks at.
function test_a_short_number()
  expect.equal(evaluate({ alias = "4711" }), { alias = "4711@example.com" })
end

function test_others_stay()
  expect.equal(evaluate({ alias = "anna@example.com" }), nil)
end
