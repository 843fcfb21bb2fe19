-- All peers hold the same clustering page: the same primary everywhere (20017),
-- and the list, the name, the IP version and the TLS mode of the primary
-- (20012). Procedures walked by hand make them differ for a while, so this is
-- looked at in the periodic run only and cuts nobody off.
--
-- Source: reference 1.2, 2.6, 4.2 (20012, 20017); design 3, 4.
local P = policy {
  name = "primary_agreement", api = 1, hook = "cluster.validate", order = 120,
  title = { en = "Peers agree on the primary", ja = "プライマリについてピアの設定が一致すること" },
}

local function same_list(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if string.lower(a[i]) ~= string.lower(b[i]) then return false end
  end
  return true
end

-- a peer that was not told of any cluster yet has nothing to agree on
local function takes_part(peer)
  return not peer.this_system and peer.reachable and peer.state ~= "joining" and #peer.config.peer_addresses > 0
end

local function add(found, id, peer, place, ours, theirs)
  found[#found + 1] = {
    id = id, severity = "warning", peer = peer.address, field = place,
    params = { peer = peer.address, ours = ours, theirs = theirs },
  }
end

local function compare(found, mine, peer)
  local theirs = peer.config
  if not same_list(mine.peer_addresses, theirs.peer_addresses) then
    add(found, "cluster.settings.peers_differ", peer, "Alternates Peer 1 Address",
      table.concat(mine.peer_addresses, ", "), table.concat(theirs.peer_addresses, ", "))
  end
  if string.lower(mine.name) ~= string.lower(theirs.name) then
    add(found, "cluster.settings.name_differs", peer, "Alternates Cluster Name", mine.name, theirs.name)
  end
  if mine.ip_version ~= theirs.ip_version then
    add(found, "cluster.settings.ip_version_differs", peer, "Alternates IP Version", mine.ip_version, theirs.ip_version)
  end
  if mine.tls_mode ~= theirs.tls_mode then
    add(found, "cluster.settings.tls_mode_differs", peer, "ClusterConfiguration TLSVerify", mine.tls_mode, theirs.tls_mode)
  end
end

function P.evaluate(c)
  local found = {}
  if c.occasion ~= "periodic" then
    why("not_running_yet")
    return found
  end
  local mine = c.current
  if #mine.peer_addresses == 0 then
    why("standalone")
    return found
  end
  local primary = mine.peer_addresses[mine.primary_index]
  local own = false
  for _, peer in ipairs(c.peers) do
    own = own or peer.this_system and peer.address == primary
  end

  for _, peer in ipairs(c.peers) do
    if not takes_part(peer) then
      if not peer.this_system then why("passed_over", { peer = peer.address }) end
    else
      if peer.config.primary_index ~= mine.primary_index then
        add(found, "cluster.primary.differs", peer, "Alternates ConfigurationPrimary",
          mine.primary_index, peer.config.primary_index)
        -- two that both believe to be the primary see it on both
        local theirs = peer.config.peer_addresses[peer.config.primary_index]
        if own and theirs == peer.address then
          add(found, "cluster.settings.primary_contested", peer, "Alternates ConfigurationPrimary")
        end
      end
      if peer.address == primary then compare(found, mine, peer) end
    end
  end
  return found
end

return P
