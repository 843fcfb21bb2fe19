-- Every function test_* is a test. fixture(name) is a valid input to start from.
function test_other_names_are_left_to_the_next_script()
  expect.equal(evaluate(fixture("name")), nil)
end

function test_a_test_certificate_is_refused()
  local c = fixture("name")
  c.names = { "peer2.test.example.com" }
  expect.rejected(evaluate(c), "test_certificate")
  expect.traced("test_name")
end
