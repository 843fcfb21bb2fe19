-- Nobody who comes in from outside without authentication dials out again, and
-- nobody at all dials premium numbers.
local P = policy {
  name = "toll_fraud", api = 1, hook = "call.admit", order = 310,
  title = { en = "Toll-fraud guard", ja = "不正発信の防止" },
  uses = { data = { "premium" } }, -- prefix -> why
}

local OUTSIDE = { default = true, neighbor = true, traversal = true, dns = true, enum = true }
local DIALS_OUT = "^(?:9|00|\\+)\\d{6,}$"

function P.evaluate(c)
  local user = alias.user(c.alias)
  for prefix, reason in pairs(data("premium")) do
    if user:sub(1, #prefix) == prefix then
      why("premium", { prefix = prefix, reason = reason })
      return reject { code = 403, reason = "premium_rate" }
    end
  end
  if OUTSIDE[c.source.zone_type] and not c.source.authenticated and re.match(DIALS_OUT, user) then
    why("outside", { zone = c.source.zone, ip = c.source.ip })
    return reject { code = 403, reason = "toll_fraud" }
  end
  return nil
end

return P
