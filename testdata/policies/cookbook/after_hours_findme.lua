-- In the evening and at weekends the mobile rings with the desk at once, not
-- after it.
local P = policy {
  name = "after_hours_findme", api = 1, hook = "findme.resolve", order = 300,
  title = { en = "FindMe after hours", ja = "時間外のFindMe" },
}

local function after_hours(t) return t.weekday > 5 or t.hour < 8 or t.hour >= 18 end

function P.evaluate(c)
  if not after_hours(c.local_time) then return nil end
  local all = {}
  for _, device in ipairs(c.devices) do
    if device.registered and (device.role == "primary" or device.role == "noanswer") then all[#all + 1] = device.alias end
  end
  why("after_hours", { devices = #all })
  if #all == 0 then return nil end
  return { rings = { { aliases = all, seconds = c.ring_seconds > 0 and c.ring_seconds or 30 } } }
end

return P
