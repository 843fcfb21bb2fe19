local function becomes(from, to)
  local d = evaluate({ alias = from })
  expect.equal(d and d.alias, to)
end

function test_national() becomes("03-1234-5678", "+81312345678") end
function test_international()
  becomes("010 1 202 555 0100", "+12025550100")
  becomes("0012025550100@example.com", "+12025550100@example.com")
end
function test_it_is_one_already() becomes("+81312345678", nil) end
function test_extensions_and_people_stay()
  becomes("4711", nil)
  becomes("anna@example.com", nil)
end
