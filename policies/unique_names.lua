-- System names, host names and addresses differ from peer to peer; all peers
-- are in one domain. Only an address that two systems have keeps a candidate out.
--
-- Source: reference 1.8, 3.1 V9.
local P = policy {
  name = "unique_names", api = 1, hook = "peer.prerequisites", order = 150,
  title = { en = "Unique names, one domain", ja = "名前の一意性とドメインの統一" },
}

local function shared_address(a, b)
  for _, address in ipairs(a.addresses) do
    if list.contains(b.addresses, address) then return address end
  end
end

local function compare(subject, other, add)
  local function unique(what, a, b, weight)
    if a ~= "" and string.lower(a) == string.lower(b) then
      add("cluster.names.not_unique", { peer = subject.address, other = other.address, what = what, value = a }, weight)
    end
  end
  unique("system name", subject.system_name, other.system_name, "warning")
  unique("host name", subject.host_name, other.host_name, "warning")
  local address = shared_address(subject, other)
  if address then unique("address", address, address) end
  if string.lower(subject.domain) ~= string.lower(other.domain) then
    add("cluster.names.domain_differs", {
      peer = subject.address, theirs = subject.domain, other = other.address, ours = other.domain,
    }, "warning")
  end
end

function P.evaluate(c)
  local found = {}
  local one = c.candidate or c.self
  for _, peer in ipairs(c.peers) do
    if not peer.reachable or peer.this_system and not c.candidate or peer.address == one.address then
      why("passed_over", { peer = peer.address })
    else
      local subject, other = peer, one
      if c.candidate then subject, other = one, peer end
      compare(subject, other, function(id, params, weight)
        found[#found + 1] = {
          id = id, severity = weight or (c.candidate and "error" or "warning"), peer = subject.address, params = params,
        }
      end)
    end
  end
  return found
end

return P
