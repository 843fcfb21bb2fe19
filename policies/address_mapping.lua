-- A cluster address mapping that is on has one pair for every peer, each name
-- and address once, to private addresses, and with names that the peers'
-- certificates contain.
--
-- Source: reference 1.2, 1.10.
local P = policy {
  name = "address_mapping", api = 1, hook = "cluster.validate", order = 150,
  title = { en = "The address mapping is complete", ja = "アドレスマッピングが揃っていること" },
}

local function well_formed(m) return fqdn.is_fqdn(m.fqdn) and ip.family(m.ip) ~= nil end

local function check_pairs(mapping, add)
  local names, addresses = {}, {}
  for i, m in ipairs(mapping) do
    if not well_formed(m) then
      add("cluster.mapping.incomplete", nil, { index = i }, "error")
    else
      local name = string.lower(m.fqdn)
      if names[name] then add("cluster.mapping.duplicate", nil, { first = names[name], second = i, value = m.fqdn }, "error") end
      if addresses[m.ip] then add("cluster.mapping.duplicate", nil, { first = addresses[m.ip], second = i, value = m.ip }, "error") end
      names[name], addresses[m.ip] = names[name] or i, addresses[m.ip] or i
      if not ip.is_private(m.ip) then add("cluster.mapping.public_address", nil, { index = i, address = m.ip }) end
    end
  end
end

-- the pair that is about a peer, by name or by address
local function pair_of(mapping, peer)
  for _, m in ipairs(mapping) do
    if string.lower(m.fqdn) == string.lower(peer.address) or m.ip == peer.address or list.contains(peer.addresses, m.ip) then
      return m
    end
  end
end

local function in_certificate(peer, name)
  for _, san in ipairs(peer.certificate.sans) do
    if string.lower(san) == string.lower(name) then return true end
  end
  return false
end

function P.evaluate(c)
  local found = {}
  if not c.proposed.mapping_enabled or #c.proposed.peer_addresses == 0 then
    why("not_used")
    return found
  end
  local function add(id, peer, params, weight)
    if c.occasion == "periodic" then weight = "warning" end
    found[#found + 1] = {
      id = id, severity = weight or "warning", peer = peer, field = "ClusterConfiguration AddressMapping", params = params,
    }
  end
  local mapping = c.proposed.mapping
  check_pairs(mapping, add)
  for _, peer in ipairs(c.peers) do
    local m = pair_of(mapping, peer)
    if not m then
      add("cluster.mapping.missing", peer.address, { peer = peer.address })
    elseif peer.reachable and not in_certificate(peer, m.fqdn) then
      add("cluster.mapping.not_in_certificate", peer.address, { peer = peer.address, name = m.fqdn })
    end
  end
  return found
end

return P
