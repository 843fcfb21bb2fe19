local function call(a, zone_type, authenticated)
  with_data("premium", { ["00990"] = "premium rate" })
  return evaluate({ alias = a, source = { zone = "Z", zone_type = zone_type, ip = "198.51.100.7", authenticated = authenticated } })
end

function test_dialling_out_from_outside() expect.rejected(call("90118155512345@example.com", "dns", false), "toll_fraud") end
function test_dialling_out_with_authentication() expect.equal(call("90118155512345@example.com", "dns", true), nil) end
function test_dialling_out_from_inside() expect.equal(call("0312345678", "local", false), nil) end
function test_people_are_no_numbers() expect.equal(call("anna@example.com", "dns", false), nil) end

function test_premium_numbers_are_for_nobody()
  expect.rejected(call("00990123456", "local", true), "premium_rate")
  expect.traced("premium")
end
