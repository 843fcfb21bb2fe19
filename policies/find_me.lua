-- The primary devices ring together. When every one of them is in a call the
-- busy devices ring at once; when nobody answers, the no-answer devices do.
--
-- Source: reference 7.8.
local P = policy {
  name = "find_me", api = 1, hook = "findme.resolve", order = 900,
  title = { en = "FindMe devices", ja = "FindMeデバイス" },
}

local function group(devices)
  local out = { primary = {}, busy = {}, noanswer = {}, free = {} }
  for _, d in ipairs(devices) do
    table.insert(out[d.role], d.alias)
    if d.role == "primary" and not d.in_call then table.insert(out.free, d.alias) end
  end
  return out
end

function P.evaluate(c)
  local by = group(c.devices)
  local rings = {}
  local function ring(aliases)
    if #aliases > 0 then rings[#rings + 1] = { aliases = aliases, seconds = c.ring_seconds } end
  end

  if #by.primary > 0 and #by.free == 0 and #by.busy > 0 then
    why("all_in_call")
    ring(by.busy)
  else
    -- without a busy device those in a call show the second one themselves
    ring(#by.free > 0 and by.free or by.primary)
    ring(by.noanswer)
  end
  return { rings = rings }
end

return P
