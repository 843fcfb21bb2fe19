-- A cluster holds one kind of system: all core or all edge, never both.
--
-- Source: reference 3.1 V1; design 8.
local P = policy {
  name = "one_role", api = 1, hook = "peer.prerequisites", order = 110,
  title = { en = "One role in a cluster", ja = "クラスタ内の役割の統一" },
}

function P.evaluate(c)
  local found = {}
  local one = c.candidate or c.self
  for _, peer in ipairs(c.peers) do
    if not peer.reachable or peer.address == one.address then
      why("passed_over", { peer = peer.address })
    elseif peer.role ~= one.role then
      local subject, other = peer, one
      if c.candidate then subject, other = one, peer end
      found[#found + 1] = {
        id = "cluster.role.mixed", severity = c.candidate and "error" or "warning", peer = subject.address,
        params = { peer = subject.address, theirs = subject.role, other = other.address, ours = other.role },
      }
    end
  end
  return found
end

return P
