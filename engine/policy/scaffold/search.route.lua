-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "search.route", order = 300,
  title = { en = "Live zones first", ja = "動作中のゾーンを優先する" },
}

---@param c hexad.input.search_route
---@return hexad.answer.search_route_type
function P.evaluate(c)
  local live, rest = {}, {}
  for _, t in ipairs(c.candidates) do
    local to = t.zone_state == "active" and live or rest
    to[#to + 1] = { zone = t.zone, alias = t.alias }
  end
  if #live == 0 or #rest == 0 then
    return nil -- the candidates as they are
  end
  why("live_first", { live = #live, rest = #rest })
  for _, t in ipairs(rest) do live[#live + 1] = t end
  return route { targets = live }
end

return P
