-- Each peer adds its capacity up to the fourth; the fifth and sixth add
-- resilience. Peers count as the smallest of them does, and small machines add
-- nothing to one another. Registrations need licences where they are counted;
-- those of a lost peer stay in the pool for 14 days.
--
-- Source: reference 3.2, 3.3.
local P = policy {
  name = "capacity", api = 1, hook = "capacity.limit", order = 900,
  title = { en = "Capacity of the cluster", ja = "クラスタの容量" },
}

local MOST_COUNTED = 4

-- how long the licences of a lost peer stay in the pool, and after which time
-- it is said: a restart is over sooner
local KEPT_S, SAID_AFTER_S = 14 * 86400, 300

-- for how long the licences of lost peers stay, and what then is in the pool
local function licences_left(peers)
  local lost, pool = {}, {}
  for _, peer in ipairs(peers) do
    local left = KEPT_S
    if not peer.reachable then
      left = KEPT_S - (peer.unseen_s or 0)
      if next(peer.licences or {}) then
        lost[#lost + 1] = { peer = peer.address, left_s = left, warn = left < KEPT_S - SAID_AFTER_S + 1 }
      end
      if left <= 0 then why("licences_lapsed", { peer = peer.address }) end
    end
    for family, n in pairs(peer.licences or {}) do -- a kind with none left is limited still
      pool[family] = (pool[family] or 0) + (left > 0 and n or 0)
    end
  end
  return lost, pool
end

-- what all registrations together are licensed for, nil when they are not limited
local function licensed(licences)
  local room, desktop = licences.room_registrations, licences.desktop_registrations
  if not room and not desktop then return nil end
  return (room or 0) + (desktop or 0)
end

function P.evaluate(c)
  local counted, small, calls, registrations = 0, false, nil, nil
  for _, peer in ipairs(c.peers) do
    small = small or peer.size == "small"
    calls = math.min(calls or peer.calls_capacity, peer.calls_capacity)
    registrations = math.min(registrations or peer.registrations_capacity, peer.registrations_capacity)
    if peer.reachable then
      counted = counted + 1
    else
      why("peer_unreachable", { peer = peer.address })
    end
  end
  if not calls then return nil end

  local reason
  if small and counted > 1 then
    counted, reason = 1, "small_machines"
  elseif counted > MOST_COUNTED then
    counted, reason = MOST_COUNTED, "four_counted"
  end
  counted = math.max(counted, 1) -- this peer carries what it can
  registrations = registrations * counted
  local lost, pool = licences_left(c.peers)
  local licence = licensed(pool)
  if licence and licence < registrations then
    registrations, reason = licence, "licences"
  end
  return { calls = calls * counted, registrations = registrations, counted_peers = counted, reason = reason, lost = #lost > 0 and lost or nil }
end

return P
