local function call(kbps, pipe, downspeed)
  with_data("branch_kbps", { Osaka = "1024", Nagoya = "512" })
  local path = { { pipe = "Backbone" }, { pipe = "Osaka" }, { pipe = pipe or "Osaka" } }
  return evaluate({ requested = kbps, default = 768, path = path, downspeed_per_call = downspeed ~= false })
end

function test_the_narrowest_branch_counts()
  expect.equal(call(2048).kbps, 1024)
  expect.equal(call(2048, "Nagoya").kbps, 512)
end
function test_the_default_counts_where_nothing_is_asked() expect.equal(call(0, "Nagoya").kbps, 512) end
function test_what_fits_is_left_to_the_next_script() expect.equal(call(768), nil) end
function test_without_downspeeding() expect.rejected(call(2048, "Osaka", false), "branch_limit") end
