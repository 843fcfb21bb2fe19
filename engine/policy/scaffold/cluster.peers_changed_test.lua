-- Every function test_* is a test. fixture(name) is a valid input to start from.
function test_it_leaves_the_reset_alone()
  expect.equal(evaluate(fixture("cleared")), nil)
  expect.traced("changed")
end
