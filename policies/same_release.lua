-- All peers run the same software version: a candidate with another one may not
-- join. Among members it is a warning, since an upgrade takes them one after the
-- other; nothing is replicated between versions meanwhile (20008).
--
-- Source: reference 1.6, 2.14, 3.1 V2, 4.2 (20008).
local P = policy {
  name = "same_release", api = 1, hook = "peer.prerequisites", order = 100,
  title = { en = "Same software version", ja = "ソフトウェアバージョンの一致" },
}

function P.evaluate(c)
  local found = {}
  local one = c.candidate or c.self
  for _, peer in ipairs(c.peers) do
    if not peer.reachable or peer.address == one.address then
      why("passed_over", { peer = peer.address })
    elseif peer.version ~= one.version then
      -- the finding is about the candidate, or about the other peer
      local subject, other = peer, one
      if c.candidate then subject, other = one, peer end
      found[#found + 1] = {
        id = "cluster.release.differs", severity = c.candidate and "error" or "warning", peer = subject.address,
        params = { peer = subject.address, theirs = subject.version, other = other.address, ours = other.version },
        fix = { page = "/maintenance/upgrade" },
      }
    end
  end
  return found
end

return P
