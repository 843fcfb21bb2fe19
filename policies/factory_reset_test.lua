local function input(was, now)
  return {
    previous = { peer_addresses = was }, proposed = { peer_addresses = now },
    reset = { armed = false, armed_from = {} }, reset_image = "present", self = { version = "14.2" },
  }
end

function test_clearing_every_field_arms()
  local d = evaluate(input({ "a", "b" }, {}))
  expect.equal(d.reset, "arm")
  expect.equal(d.banner, "factory_reset_on_restart")
  expect.falsy(d.blocked)
  expect.equal(d.keep, {
    "network.lan1.ip", "accounts.admin", "accounts.root", "ssh.host_keys", "option_keys", "access.https", "access.ssh",
  })
end

function test_a_whole_record_works()
  expect.equal(evaluate(fixture("cleared")).reset, "arm")
  expect.equal(evaluate(fixture("added")).reset, "none")
  expect.equal(evaluate(fixture("restored")).reset, "disarm")
end

function test_before_12_6_certificates_stay()
  local c = input({ "a" }, {})
  c.self.version = "X12.5.9"
  local keep = evaluate(c).keep
  expect.truthy(list.contains(keep, "tls.trust_store"))
  expect.truthy(list.contains(keep, "tls.private_key"))
  expect.truthy(list.contains(keep, "tls.server_certificate"))
end

function test_from_12_6_certificates_go()
  local c = input({ "a" }, {})
  c.self.version = "12.6"
  expect.falsy(list.contains(evaluate(c).keep, "tls.trust_store"))
end

function test_the_release_decides_at_its_first_number()
  local c = input({ "a" }, {})
  for release, kept in pairs({ ["X8.11"] = true, ["X8.11.4"] = true, ["X12.5.99"] = true, ["X12.6"] = false, ["X12.6.1"] = false, ["X15.4"] = false }) do
    c.self.version = release
    expect.equal(list.contains(evaluate(c).keep, "tls.private_key"), kept)
  end
end

function test_before_8_11_an_empty_list_resets_nothing()
  local c = input({ "a" }, {})
  c.self.version = "X8.10.4"
  expect.equal(evaluate(c).reset, "none")
  expect.traced("release_without_reset")
end

function test_own_release_numbers_are_today()
  local c = input({ "a" }, {})
  c.self.version = "1.0.0"
  expect.falsy(list.contains(evaluate(c).keep, "tls.trust_store"))
end

function test_never_clustered_is_no_reset()
  expect.equal(evaluate(input({}, {})).reset, "none")
  expect.traced("peers_present")
end

function test_removing_one_peer_is_no_reset()
  expect.equal(evaluate(input({ "a", "b" }, { "a" })).reset, "none")
end

local function armed(now)
  local c = input({}, now)
  c.reset = { armed = true, armed_from = { "a.example.com", "b.example.com" } }
  return evaluate(c)
end

function test_same_order_disarms()
  expect.equal(armed({ "a.example.com", "b.example.com" }).reset, "disarm")
  expect.equal(armed({ "A.example.com", "b.Example.com" }).reset, "disarm")
  expect.traced("restored_in_order")
end

function test_other_order_stays_armed()
  local d = armed({ "b.example.com", "a.example.com" })
  expect.equal(d.reset, "keep_armed")
  expect.equal(d.banner, "factory_reset_order_differs")
  expect.traced("restored_in_other_order")
end

function test_a_part_of_the_list_stays_armed()
  expect.equal(armed({ "a.example.com" }).reset, "keep_armed")
end

function test_saving_empty_again_changes_nothing()
  expect.equal(armed({}).reset, "none")
end

function test_a_missing_image_blocks()
  local c = input({ "a" }, {})
  c.reset_image = "missing"
  local d = evaluate(c)
  expect.equal(d.reset, "arm")
  expect.equal(d.blocked, "no_reset_image")
  expect.traced("reset_image_missing")
end
