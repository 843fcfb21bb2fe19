-- Outside working hours the reception is answered by the night desk. A script
-- has no clock: c.now is the time of the decision, UTC.
local P = policy {
  name = "working_hours", api = 1, hook = "search.transform", order = 320,
  title = { en = "Reception outside working hours", ja = "営業時間外の代表番号" },
}

local OFFSET = 9 * 3600 -- Japan
local OPENS, CLOSES = 9, 18

local function open(now)
  local days = math.floor((now + OFFSET) / 86400)
  local hour = math.floor((now + OFFSET) % 86400 / 3600)
  local weekday = (days + 3) % 7 -- 0 is Monday: 1 January 1970 was a Thursday
  return weekday < 5 and hour >= OPENS and hour < CLOSES
end

function P.evaluate(c)
  if alias.user(c.alias) ~= "reception" or open(c.now) then return nil end
  why("closed")
  return { alias = "night-desk@" .. alias.domain(c.alias) }
end

return P
