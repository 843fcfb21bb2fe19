local function search(a)
  with_data("branches", { ["77"] = "Osaka", ["78"] = "Nagoya" })
  return evaluate({ alias = a, candidates = {} })
end

function test_a_branch_gets_its_call()
  local d = search("774711@example.com")
  expect.routed(d, "Osaka")
  expect.equal(d.targets[1].alias, "4711@example.com")
  expect.truthy(d.continue)
end

function test_an_unknown_prefix() expect.equal(search("794711@example.com"), nil) end
function test_people() expect.equal(search("anna@example.com"), nil) end
