-- Peers reach each other without address translation: a peer is seen under an
-- address that it has. An edge peer with one interface has a routable address
-- without static NAT; with two it is clustered on the internal one.
--
-- Source: reference 1.10, 3.1 V11, V12.
local P = policy {
  name = "no_nat", api = 1, hook = "peer.prerequisites", order = 140,
  title = { en = "No address translation between peers", ja = "ピア間でアドレス変換を行わないこと" },
}

local function check(peer, severity, found)
  local function add(id, params)
    params.peer = peer.address
    found[#found + 1] = { id = id, severity = severity, peer = peer.address, params = params }
  end
  if peer.nat_seen then add("cluster.nat.translated", { seen = peer.seen_address }) end
  if peer.static_nat and peer.static_nat == peer.address then
    add("cluster.nat.public_address", {})
  elseif peer.role == "edge" and peer.nics < 2 and peer.static_nat then
    add("cluster.nat.static", { nat = peer.static_nat })
  end
  if peer.nics >= 2 and peer.cluster_nic == "external" then add("cluster.nat.external_interface", {}) end
end

function P.evaluate(c)
  local found = {}
  if c.candidate then
    check(c.candidate, "error", found)
    return found
  end
  check(c.self, "warning", found) -- each peer judges itself: one fault is one alarm
  return found
end

return P
