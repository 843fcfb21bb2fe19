local function from(zone_type, alias, authenticated)
  local c = fixture("outside")
  c.source.zone_type, c.alias, c.source.authenticated = zone_type, alias, authenticated or false
  return evaluate(c)
end

function test_usual_calls()
  expect.equal(evaluate(fixture("registered")), nil)
  expect.equal(evaluate(fixture("outside")), nil)
end

function test_numbers_from_outside()
  expect.rejected(evaluate(fixture("number")), "toll_fraud_guard")
  expect.traced("dials_out")
  for _, zone in ipairs({ "default", "dns", "enum", "traversal" }) do
    expect.rejected(from(zone, "00441632960123"), "toll_fraud_guard")
  end
  expect.rejected(from("default", "+441632960123@example.com"), "toll_fraud_guard")
  expect.rejected(from("default", "9011632@192.0.2.1"), "toll_fraud_guard")
end

function test_what_is_no_number_to_dial_out()
  expect.equal(from("default", "5501@example.com"), nil)
  expect.equal(from("default", "901163"), nil)
  expect.equal(from("default", "9ann123456@example.com"), nil)
  expect.equal(from("default", "bob@90116320.example.com"), nil)
end

function test_those_who_may()
  expect.equal(from("default", "00441632960123", true), nil)
  expect.equal(from("neighbor", "00441632960123"), nil)
  expect.equal(from("local", "00441632960123"), nil)
end

function test_the_hop_count()
  local c = fixture("registered")
  c.hops = 0
  local d = evaluate(c)
  expect.rejected(d, "too_many_hops")
  expect.equal(d.code, 483)
  c.hops = 1
  expect.equal(evaluate(c), nil)
end
