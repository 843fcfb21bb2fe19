-- The first two digits name a branch. Which zone that is stands in a data
-- table, so that a new branch needs no new script.
local P = policy {
  name = "branches", api = 1, hook = "search.route", order = 300,
  title = { en = "Branch prefixes", ja = "拠点番号による振り分け" },
  uses = { data = { "branches" } }, -- two digits -> zone
}

function P.evaluate(c)
  local user = alias.user(c.alias)
  if not re.match("^\\d{6}$", user) then return nil end
  local prefix = user:sub(1, 2)
  local zone = data("branches")[prefix]
  why("branch", { prefix = prefix, zone = zone or "none" })
  if not zone then return nil end
  return route { targets = { { zone = zone, alias = user:sub(3) .. "@" .. alias.domain(c.alias) } }, continue = true }
end

return P
