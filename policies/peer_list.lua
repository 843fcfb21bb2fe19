-- The clustering page is whole: this system is listed, no peer twice, no gap,
-- every address valid, and the cluster has a name and a primary. A cluster
-- begins as a cluster of one, restarted, before others are added.
--
-- Source: reference 1.2, 2.2, 3.1 V7, V8, V15, 4.2 (20003, 20005, 20015,
-- 20019); the seed, "Creating a new cluster".
local P = policy {
  name = "peer_list", api = 1, hook = "cluster.validate", order = 110,
  title = { en = "The peer list is valid", ja = "ピアの一覧が正しいこと" },
}

local function field(i) return "Alternates Peer " .. i .. " Address" end

local function same_name(a, b) return a ~= "" and string.lower(a) == string.lower(b) end

-- the address as the resolver knows it: a literal is itself
local function addresses_of(c, address)
  for _, r in ipairs(c.resolved) do
    if same_name(r.address, address) then return r.ips, r.failure end
  end
  if ip.family(address) then return { address } end
  return {}
end

local function shares(a, b)
  for _, x in ipairs(a) do
    if list.contains(b, x) then return true end
  end
  return false
end

local function is_own(c, address)
  local self = c.self
  if same_name(self.address, address) or list.contains(self.addresses, address) then return true end
  if same_name(self.host_name .. "." .. self.domain, address) then return true end
  for _, peer in ipairs(c.peers) do
    if peer.this_system and same_name(peer.address, address) then return true end
  end
  return shares(addresses_of(c, address), self.addresses)
end

local function check_own(c, add)
  for _, address in ipairs(c.proposed.fields) do
    if is_own(c, address) then return end
  end
  local params = { address = c.self.address }
  add("cluster.peers.own_missing", nil, field(1), params)
  if c.occasion == "periodic" and #c.running.peer_addresses > 0 then
    add("cluster.peers.own_unlisted", nil, field(1), params)
  end
end

local function check_gaps(fields, add)
  local empty
  for i, address in ipairs(fields) do
    if address == "" then
      empty = empty or i
    elseif empty then
      add("cluster.peers.gap", nil, field(empty), { empty = empty, filled = i })
      return
    end
  end
end

local function check_duplicates(c, fields, add)
  for i = 1, #fields do
    for j = i + 1, #fields do
      local a, b = fields[i], fields[j]
      if same_name(a, b) or a ~= "" and b ~= "" and shares(addresses_of(c, a), addresses_of(c, b)) then
        add("cluster.peers.duplicate", b, field(j), { first = i, second = j, address = b })
      end
    end
  end
end

local function check_address(c, i, address, add)
  local family, version = ip.family(address), c.proposed.ip_version
  if family then
    if version ~= "" and family ~= version then
      add("cluster.peers.address_family", address, field(i), { index = i, address = address, ip_version = version })
    end
    return
  end
  if not fqdn.is_fqdn(address) then
    add("cluster.peers.address_invalid", address, field(i), { index = i, address = address })
    return
  end
  local _, failure = addresses_of(c, address)
  if failure then
    add("cluster.peers.address_unresolved", address, field(i), { index = i, address = address, failure = failure }, "warning")
  end
end

local function check_name(name, needed, add)
  local place = "Alternates Cluster Name"
  if name == "" then
    if needed then add("cluster.name.missing", nil, place) end
  elseif #name > 128 or not fqdn.is_fqdn("x." .. name) then
    add("cluster.name.invalid", nil, place, { name = name })
  elseif not fqdn.is_fqdn(name) then
    add("cluster.name.bare", nil, place, { name = name }, "info")
  end
end

local function check_primary(c, add)
  local index = c.proposed.primary_index
  if index < 1 or index > #c.proposed.peer_addresses then
    add("cluster.primary.outside", nil, "Alternates ConfigurationPrimary", { index = index })
    return
  end
  -- a stand-alone system that would be the primary of others has no cluster yet
  local creates = c.occasion == "save" and #c.running.peer_addresses == 0 and #c.proposed.peer_addresses > 1
  if creates and is_own(c, c.proposed.peer_addresses[index]) then
    add("cluster.peers.one_first", nil, field(2))
  end
end

function P.evaluate(c)
  local found = {}
  local severity = c.occasion == "periodic" and "warning" or "error"
  local function add(id, peer, place, params, weight)
    found[#found + 1] = { id = id, severity = weight or severity, peer = peer, field = place, params = params }
  end

  local clustered = #c.proposed.peer_addresses > 0
  check_name(c.proposed.name, clustered, add)
  if not clustered then
    why("standalone")
    return found
  end
  local fields = c.proposed.fields
  check_own(c, add)
  check_gaps(fields, add)
  check_duplicates(c, fields, add)
  for i, address in ipairs(fields) do
    if address ~= "" then check_address(c, i, address, add) end
  end
  check_primary(c, add)
  return found
end

return P
