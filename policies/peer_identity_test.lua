function test_the_configured_name()
  expect.equal(evaluate(fixture("name")), { action = "accept", name = "peer2.example.com" })
  expect.traced("proved")
end

function test_case_does_not_matter()
  local c = fixture("name")
  c.configured_address = "PEER2.example.com"
  expect.equal(evaluate(c).action, "accept")
end

function test_another_name_is_rejected()
  local c = fixture("name")
  c.sans = { "peer3.example.com" }
  expect.rejected(evaluate(c), "name_missing")
end

function test_the_common_name_proves_nothing()
  local c = fixture("name")
  c.sans, c.cn, c.names = {}, "peer2.example.com", { "peer2.example.com" }
  expect.rejected(evaluate(c), "name_missing")
end

function test_a_wildcard_proves_nothing()
  local c = fixture("name")
  c.sans = { "*.example.com" }
  expect.rejected(evaluate(c), "name_missing")
end

function test_the_mapped_name_of_an_address()
  expect.equal(evaluate(fixture("mapped")), { action = "accept", name = "peer2.example.com" })
end

function test_the_mapped_name_must_be_in_the_certificate()
  local c = fixture("mapped")
  c.sans = { "peer3.example.com" }
  expect.rejected(evaluate(c), "address_not_fqdn")
end

function test_a_mapping_of_another_peer_proves_nothing()
  local c = fixture("mapped")
  c.source_ip = "192.0.2.3"
  c.mapping = { { fqdn = "peer2.example.com", ip = "192.0.2.3" } }
  expect.rejected(evaluate(c), "address_not_fqdn")
end

function test_a_mapped_name_from_its_address()
  local c = fixture("name")
  c.mapping = { { fqdn = "peer1.example.com", ip = "192.0.2.1" }, { fqdn = "peer2.example.com", ip = "192.0.2.2" } }
  expect.equal(evaluate(c).name, "peer2.example.com")
end

function test_a_mapped_name_from_elsewhere()
  local c = fixture("name")
  c.mapping = { { fqdn = "peer2.example.com", ip = "192.0.2.9" } }
  expect.rejected(evaluate(c), "source_not_mapped")
end

function test_an_address_cannot_be_enforced()
  local c = fixture("name")
  c.configured_address = "192.0.2.2"
  expect.rejected(evaluate(c), "address_not_fqdn")
end

function test_an_untrusted_chain()
  local c = fixture("name")
  c.chain_ok = false
  expect.rejected(evaluate(c), "chain_not_trusted")
end

function test_permissive_accepts_and_says_so()
  local c = fixture("permissive")
  c.sans = { "peer3.example.com" }
  local d = evaluate(c)
  expect.equal(d, { action = "accept", reason = "name_missing" })
  expect.traced("not_proved")
  c.chain_ok = false
  c.sans = { "peer2.example.com" }
  expect.equal(evaluate(c), { action = "accept", name = "peer2.example.com", reason = "chain_not_trusted" })
end

function test_permissive_with_proof()
  expect.equal(evaluate(fixture("permissive")), { action = "accept", name = "peer2.example.com" })
end
