-- Every function test_* is a test. The input holds what the policy looks at.
local function input(a, from) return { aliases = { a }, source_ip = from } end

function test_a_guest_inside()
  expect.equal(evaluate(input("guest7@example.com", "10.1.2.3")), nil)
end

function test_a_guest_outside_is_refused()
  expect.rejected(evaluate(input("guest7@example.com", "198.51.100.7")), "guest_outside")
end

function test_others_are_left_to_the_next_script()
  expect.equal(evaluate(input("anna@example.com", "198.51.100.7")), nil)
end
