local function register(a, free, refresh)
  with_data("vip", { ["president@example.com"] = "president's office" })
  return evaluate({ aliases = { a }, refresh = refresh or false, licence = { type = "desktop", free = free } })
end

function test_there_is_room() expect.equal(register("anna@example.com", 6), nil) end
function test_the_last_ones_are_reserved()
  expect.rejected(register("anna@example.com", 5), "licences_reserved")
  expect.traced("reserved")
end
function test_a_vip_gets_one()
  expect.equal(register("president@example.com", 1), nil)
  expect.traced("vip")
end
function test_a_refresh_is_never_thrown_out() expect.equal(register("anna@example.com", 0, true), nil) end
