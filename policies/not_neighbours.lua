-- No peer is also an address of a neighbor or traversal zone: peers find each
-- other's registrations by themselves, and a call would go round.
--
-- Source: reference 2.1, 2.2, 3.1 V16.
local P = policy {
  name = "not_neighbours", api = 1, hook = "cluster.validate", order = 140,
  title = { en = "Peers are not neighbors", ja = "ピアが隣接システムでないこと" },
}

-- everything that a listed address is known as
local function aliases(c, address)
  local names = { [string.lower(address)] = true }
  for _, r in ipairs(c.resolved) do
    if string.lower(r.address) == string.lower(address) then
      for _, a in ipairs(r.ips) do names[a] = true end
    end
  end
  for _, peer in ipairs(c.peers) do
    if peer.address == address then
      for _, a in ipairs(peer.addresses) do names[a] = true end
    end
  end
  return names
end

function P.evaluate(c)
  local found = {}
  for _, address in ipairs(c.proposed.peer_addresses) do
    local names = aliases(c, address)
    for _, zone in ipairs(c.neighbours) do
      for _, neighbour in ipairs(zone.addresses) do
        if names[string.lower(neighbour)] then
          found[#found + 1] = {
            id = "cluster.neighbours.is_peer", severity = "warning", peer = address, field = "Zones",
            params = { peer = address, zone = zone.zone }, fix = { page = "/configuration/zones" },
          }
        end
      end
    end
  end
  return found
end

return P
