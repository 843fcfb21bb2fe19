-- Peers run on equivalent hardware: the same class and size. A standard
-- appliance may pair with a medium virtual machine.
--
-- Source: reference 3.1 V4.
local P = policy {
  name = "same_hardware", api = 1, hook = "peer.prerequisites", order = 130,
  title = { en = "Equivalent hardware", ja = "同等のハードウェア" },
}

-- an appliance counts as a medium virtual machine
local function kind(hardware)
  if hardware.size == "appliance" then return "medium", "any" end
  return hardware.size, hardware.class
end

local function compare(c, one, peer, found)
  local subject, other = peer, one
  if c.candidate then subject, other = one, peer end
  local function add(id, theirs, ours)
    found[#found + 1] = {
      id = id, severity = c.candidate and "error" or "warning", peer = subject.address,
      params = { peer = subject.address, theirs = theirs, other = other.address, ours = ours },
    }
  end
  local size, class = kind(subject.hardware)
  local other_size, other_class = kind(other.hardware)
  if size ~= other_size then
    add("cluster.hardware.size_differs", subject.hardware.size, other.hardware.size)
  elseif class ~= other_class and class ~= "any" and other_class ~= "any" then
    add("cluster.hardware.class_differs", class, other_class)
  end
end

function P.evaluate(c)
  local found = {}
  local one = c.candidate or c.self
  for _, peer in ipairs(c.peers) do
    if not peer.reachable or peer.address == one.address then
      why("passed_over", { peer = peer.address })
    else
      compare(c, one, peer, found)
    end
  end
  return found
end

return P
