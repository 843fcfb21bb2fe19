local function with(name, changes)
  local c = fixture(name)
  for k, v in pairs(changes) do c[k] = v end
  return evaluate(c)
end

function test_without_a_restriction()
  expect.equal(evaluate(fixture("new")), { action = "accept" })
  expect.equal(evaluate(fixture("room")), { action = "accept" })
  expect.equal(with("new", { listed = "deny" }), { action = "accept" })
end

function test_the_deny_list()
  expect.rejected(with("new", { restriction = "deny_list", listed = "deny" }), "on_deny_list")
  expect.equal(with("new", { restriction = "deny_list" }), { action = "accept" })
end

function test_the_allow_list()
  expect.rejected(with("new", { restriction = "allow_list" }), "not_on_allow_list")
  expect.equal(with("new", { restriction = "allow_list", listed = "allow" }), { action = "accept" })
end

function test_a_refresh_of_sip_is_held_against_the_lists()
  expect.rejected(with("refresh", { restriction = "deny_list", listed = "deny" }), "on_deny_list")
  expect.equal(with("refresh", { restriction = "deny_list", listed = "deny", protocol = "h323" }), { action = "accept" })
end

function test_a_refresh_needs_no_licence()
  expect.equal(evaluate(fixture("refresh")), { action = "accept" })
end

function test_licences()
  local d = with("new", { licence = { type = "desktop", free = 0 } })
  expect.rejected(d, "no_licence")
  expect.equal(d.code, 503)
  expect.traced("no_licence")
  expect.equal(with("new", { licence = { type = "", free = 0 } }), { action = "accept" })
end

function test_one_home_for_each_alias_of_h323()
  expect.rejected(evaluate(fixture("elsewhere")), "alias_registered_elsewhere")
  expect.equal(with("elsewhere", { conflict = "overwrite" }), { action = "accept" })
  expect.traced("elsewhere")
  expect.equal(with("elsewhere", { protocol = "sip" }), { action = "accept" })
end
