-- Clustering talks H.323 between peers, so every peer of a cluster needs H.323
-- mode on, even when all endpoints use SIP: an error when a cluster is created
-- or joined, a warning with alarm 20018 afterwards.
--
-- Source: reference 3.1 V6, 4.2 (20018), the seed.
local P = policy {
  name = "h323_required", api = 1, hook = "cluster.validate", order = 100,
  title = { en = "H.323 mode must be on", ja = "H.323モードをオンにする必要があります" },
}

-- a save that creates the cluster or makes it larger
local function grows(c)
  if c.occasion == "join" then return true end
  if c.occasion ~= "save" then return false end
  return #c.proposed.peer_addresses > #c.current.peer_addresses
end

function P.evaluate(c)
  local found = {}
  if #c.proposed.peer_addresses == 0 then
    why("standalone")
    return found
  end
  local severity = grows(c) and "error" or "warning"
  for _, peer in ipairs(c.peers) do
    if not peer.reachable then
      why("peer_unreachable", { peer = peer.address })
    elseif not peer.h323_mode then
      found[#found + 1] = {
        id = "cluster.config.h323_mode_off", severity = severity, peer = peer.address,
        field = "H323 Mode", params = { peer = peer.address },
        fix = { set = "H323 Mode", to = "On", page = "/configuration/protocols/h323" },
      }
    end
  end
  return found
end

return P
