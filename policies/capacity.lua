-- Each peer adds its capacity up to the fourth; the fifth and sixth add
-- resilience. Peers count as the smallest of them does, and small machines add
-- nothing to one another. Registrations need licences where they are counted.
--
-- Source: reference 3.2, 3.3.
local P = policy {
  name = "capacity", api = 1, hook = "capacity.limit", order = 900,
  title = { en = "Capacity of the cluster", ja = "クラスタの容量" },
}

local MOST_COUNTED = 4

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
  local licence = licensed(c.licences)
  if licence and licence < registrations then
    registrations, reason = licence, "licences"
  end
  return { calls = calls * counted, registrations = registrations, counted_peers = counted, reason = reason }
end

return P
