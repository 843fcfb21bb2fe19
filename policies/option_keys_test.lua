local function two(product, a, b)
  return { product = product, occasion = "join", peers = { { address = "p1", keys = a }, { address = "p2", keys = b } } }
end

function test_same_keys()
  expect.equal(evaluate(two("expressway", { { family = "gateway" } }, { { family = "gateway" } })), {})
  expect.equal(evaluate(fixture("six")), {})
end

function test_feature_key_missing()
  local f = evaluate(two("expressway", { { family = "find_me" } }, {}))
  expect.equal(#f, 1)
  expect.has_finding(f, "cluster.keys.mismatch", { severity = "error" })
  expect.equal(f[1].params.missing_on, "p2")
end

function test_missing_on_many()
  local c = fixture("six")
  c.peers[1].keys = { { family = "find_me" }, { family = "gateway" } }
  expect.equal(evaluate(c)[1].params.missing_on, "192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, 192.0.2.6")
end

function test_rich_media_may_differ()
  local a, b = { { family = "rich_media_sessions", count = 100 } }, { { family = "rich_media_sessions", count = 20 } }
  expect.equal(evaluate(two("expressway", a, b)), {})
  expect.traced("pooled")
end

function test_room_and_desktop_may_differ()
  local a, b = { { family = "room_registrations", count = 5 } }, { { family = "desktop_registrations", count = 9 } }
  expect.equal(evaluate(two("expressway", a, b)), {})
end

function test_exception_is_per_product()
  expect.equal(#evaluate(two("vcs", { { family = "rich_media_sessions", count = 1 } }, {})), 1)
  expect.equal(#evaluate(two("vcs", { { family = "traversal_calls", count = 1 } }, {})), 0)
  expect.equal(#evaluate(two("vcs", { { family = "non_traversal_calls", count = 1 } }, {})), 0)
  expect.equal(#evaluate(two("expressway", { { family = "traversal_calls", count = 1 } }, {})), 1)
end

function test_an_unknown_product_pools_nothing()
  expect.equal(#evaluate(two("other", { { family = "rich_media_sessions", count = 1 } }, {})), 1)
end

function test_other_counts_must_be_equal()
  local f = evaluate(two("expressway", { { family = "turn_relays", count = 1800 } }, { { family = "turn_relays", count = 600 } }))
  expect.equal(#f, 2)
end

function test_a_running_cluster_is_warned()
  local c = two("expressway", { { family = "find_me" } }, {})
  c.occasion = "periodic"
  expect.has_finding(evaluate(c), "cluster.keys.mismatch", { severity = "warning" })
  c.occasion = "keys"
  expect.has_finding(evaluate(c), "cluster.keys.mismatch", { severity = "warning" })
end

function test_unreachable_peers_are_passed_over()
  local c = two("expressway", { { family = "find_me" } }, {})
  c.peers[2].reachable = false
  expect.equal(evaluate(c), {})
  expect.traced("peer_unreachable")
end
