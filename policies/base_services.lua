-- Every peer has a DNS server that resolves all peers, a synchronized clock and
-- the same cluster IP version. A cluster on literal addresses lives without
-- DNS, so only the IP version keeps a candidate out. Each peer judges its own
-- services: one fault is one alarm, on the peer that has it.
--
-- Source: reference 2.1, 3.1 V10, 1.8.
local P = policy {
  name = "base_services", api = 1, hook = "peer.prerequisites", order = 160,
  title = { en = "DNS, NTP and IP version", ja = "DNS、NTP、IPバージョン" },
}

local function sorted_failures(failures)
  local out = {}
  for address, failure in pairs(failures) do out[#out + 1] = address .. " (" .. failure .. ")" end
  table.sort(out)
  return table.concat(out, ", ")
end

local function check(peer, add)
  if #peer.dns_servers == 0 then
    add("cluster.base.no_dns_server", peer, {})
  elseif not peer.dns_ok then
    add("cluster.base.dns_failed", peer, { failures = sorted_failures(peer.dns_failures) })
  end
  if #peer.ntp.servers == 0 then
    add("cluster.base.no_ntp_server", peer, {})
  elseif not peer.ntp.synced then
    add("cluster.base.ntp_not_synchronized", peer, { state = peer.ntp.state })
  end
end

-- peers that were not told of a cluster yet have no version to compare
local function one_version(c, peer, one, add)
  local a, b = peer.ip_version, one.ip_version
  if a ~= "" and b ~= "" and a ~= b then
    add("cluster.base.ip_version_differs", peer, { theirs = a, ours = b, other = one.address }, c.candidate and "error")
  end
end

function P.evaluate(c)
  local found = {}
  local function add(id, peer, params, weight)
    params.peer = peer.address
    found[#found + 1] = { id = id, severity = weight or "warning", peer = peer.address, params = params }
  end
  if c.candidate then
    check(c.candidate, add)
    one_version(c, c.candidate, c.self, add)
    return found
  end
  check(c.self, add)
  for _, peer in ipairs(c.peers) do
    if peer.reachable then
      one_version(c, peer, c.self, add)
    else
      why("passed_over", { peer = peer.address })
    end
  end
  return found
end

return P
