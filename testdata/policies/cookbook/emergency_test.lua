function test_emergency_numbers_pass()
  for _, number in ipairs({ "110", "118", "119", "119@example.com" }) do
    expect.equal(evaluate({ alias = number }).action, "accept")
    expect.traced("emergency")
  end
end

function test_others_are_left_to_the_next_script()
  expect.equal(evaluate({ alias = "1190" }), nil)
end
