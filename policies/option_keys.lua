-- Every peer carries the same option keys. Counted licences that the cluster
-- pools are the exception, and they differ by product. A key change on a
-- running cluster never blocks: peers are changed one after the other.
--
-- Source: reference 3.1 V13, 1.8; the seed, "Option keys".
local P = policy {
  name = "option_keys", api = 1, hook = "keys.compare", order = 100,
  title = { en = "Option keys match", ja = "オプションキーの一致" },
}

-- product -> key families that may differ from peer to peer
local POOLED = {
  vcs        = { traversal_calls = true, non_traversal_calls = true },
  expressway = { rich_media_sessions = true, room_registrations = true, desktop_registrations = true },
}

local function signature(key)
  -- a feature key is compared by presence; a counted key that is not pooled also by its count
  return key.family .. "=" .. tostring(key.count or "on")
end

local function collect(peers, pooled)
  local holders, order = {}, {}
  for _, peer in ipairs(peers) do
    for _, key in ipairs(peer.keys) do
      if pooled[key.family] then
        why("pooled", { peer = peer.address, family = key.family })
      else
        local s = signature(key)
        if not holders[s] then
          holders[s] = {}
          order[#order + 1] = { s = s, family = key.family }
        end
        holders[s][peer.address] = true
      end
    end
  end
  return holders, order
end

local function answering(all)
  local peers = {}
  for _, peer in ipairs(all) do
    if peer.reachable == false then
      why("peer_unreachable", { peer = peer.address })
    else
      peers[#peers + 1] = peer
    end
  end
  return peers
end

function P.evaluate(c)
  local peers = answering(c.peers)
  local holders, order = collect(peers, POOLED[c.product] or {})
  local blocks = c.occasion ~= "periodic" and c.occasion ~= "keys"
  local found = {}
  for _, o in ipairs(order) do
    local missing = {}
    for _, peer in ipairs(peers) do
      if not holders[o.s][peer.address] then missing[#missing + 1] = peer.address end
    end
    if #missing > 0 then
      found[#found + 1] = {
        id = "cluster.keys.mismatch", severity = blocks and "error" or "warning", field = "Option Key",
        params = { family = o.family, key = o.s, missing_on = table.concat(missing, ", ") },
        fix = { page = "/maintenance/option-keys" },
      }
    end
  end
  return found
end

return P
