-- Every function test_* is a test. The input holds what the policy looks at.
local function input(a, authenticated)
  return { alias = a, source = { authenticated = authenticated } }
end

function test_a_boardroom_without_authentication()
  expect.rejected(evaluate(input("boardroom1@example.com", false)), "boardroom_unauthenticated")
end

function test_a_boardroom_with_authentication()
  expect.equal(evaluate(input("boardroom1@example.com", true)), nil)
end

function test_others_are_left_to_the_next_script()
  expect.equal(evaluate(input("anna@example.com", false)), nil)
end
