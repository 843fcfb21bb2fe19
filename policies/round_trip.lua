-- Between any two peers a round trip takes at most 80 ms; from three quarters
-- of that it is told. Each peer judges its own pairs, and a join those of the
-- candidate.
--
-- What is measured is a question and its answer between two processes, the least
-- of the last sixteen: a little longer than the network takes, most so on a busy
-- system. A pair counts as too far from a twentieth above the limit, 84 ms: a
-- network of 80 ms is never told, one of 90 ms always.
--
-- Source: reference 3.1 V5, 11.
local P = policy {
  name = "round_trip", api = 1, hook = "peer.prerequisites", order = 120,
  title = { en = "Round trip between peers", ja = "ピア間の往復遅延" },
}

-- how much of a measurement may be the systems' own doing
local TOLERANCE = 1.05

-- what either side measured of the other, the larger; nil when nobody did
local function measured(a, b)
  local best = a.rtts[b.address]
  local other = b.rtts[a.address]
  if other and (not best or other > best) then best = other end
  -- rtt_ms is what this system measures
  local own = a.this_system and b.rtt_ms or b.this_system and a.rtt_ms or nil
  if own and (not best or own > best) then best = own end
  return best
end

function P.evaluate(c)
  local found = {}
  local limit = c.limits.rtt_ms
  local one = c.candidate or c.self
  for _, peer in ipairs(c.peers) do
    local ms = peer.address ~= one.address and peer.reachable and measured(one, peer)
    if not ms then
      why("not_measured", { peer = peer.address })
    elseif ms >= limit * 0.75 then
      local over = ms > limit * TOLERANCE
      found[#found + 1] = {
        id = over and "cluster.rtt.over_limit" or "cluster.rtt.near_limit",
        severity = over and c.candidate and "error" or "warning", peer = peer.address,
        params = { peer = one.address, other = peer.address, rtt_ms = string.format("%.1f", ms), limit_ms = limit },
      }
    end
  end
  return found
end

return P
