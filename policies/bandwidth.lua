-- A call gets what it asks for, or the default, within every pipe on its path.
-- What a limit for each call takes away, and what a full pipe takes away, is
-- given up only where downspeeding of that kind is on.
--
-- Source: reference 7.7.
local P = policy {
  name = "bandwidth", api = 1, hook = "bandwidth.admit", order = 900,
  title = { en = "Bandwidth along the path", ja = "経路の帯域" },
}

-- the lowest of kbps and what limit gives for each pipe; nil is no limit
local function lowest(path, kbps, limit)
  for _, p in ipairs(path) do
    local most = limit(p)
    if most and most < kbps then
      why("limited", { pipe = p.pipe, kbps = most })
      kbps = most
    end
  end
  return kbps
end

local function for_each_call(p)
  if p.closed then return 0 end
  return p.per_call_max > 0 and p.per_call_max or nil
end

local function left(p)
  return p.total > 0 and math.max(p.total - p.used, 0) or nil
end

function P.evaluate(c)
  local asked = c.requested > 0 and c.requested or c.default
  local kbps = lowest(c.path, asked, for_each_call)
  if kbps < asked and (kbps < 1 or not c.downspeed_per_call) then
    return reject { reason = "exceeds_call_capacity" }
  end
  local fits = lowest(c.path, kbps, left)
  if fits < kbps and (fits < 1 or not c.downspeed_total) then
    return reject { reason = "no_bandwidth_left" }
  end
  if fits < 1 then return reject { reason = "nothing_asked_for" } end
  return accept { kbps = fits }
end

return P
