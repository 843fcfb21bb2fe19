-- What one call may take on a branch's line, by the pipe that stands for it.
-- The engine never gives more than the path has left, whatever is answered.
local P = policy {
  name = "subzone_bandwidth", api = 1, hook = "bandwidth.admit", order = 300,
  title = { en = "Bandwidth of branches", ja = "拠点ごとの帯域" },
  uses = { data = { "branch_kbps" } }, -- pipe -> kbit/s for one call
}

function P.evaluate(c)
  local asked = c.requested > 0 and c.requested or c.default
  local least, narrowest
  for _, p in ipairs(c.path) do
    local most = tonumber(data("branch_kbps")[p.pipe])
    if most and (not least or most < least) then least, narrowest = most, p.pipe end
  end
  if not least or asked <= least then return nil end
  why("branch_limit", { pipe = narrowest, kbps = least })
  if not c.downspeed_per_call then return reject { reason = "branch_limit" } end
  return accept { kbps = least }
end

return P
