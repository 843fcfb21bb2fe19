-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "keys.compare", order = 300,
  title = { en = "Peers carry the FindMe key", ja = "ピアにFindMeキーがある" },
  -- texts of the findings that this script makes itself: policy.NAME.WORD
  text = {
    ["policy.NAME.missing"] = {
      en = "{peer} has no option key {family}.",
      ja = "{peer}にオプションキー{family}がありません。",
    },
  },
}

local WANTED = "find_me"

---@param peer hexad.peer
local function has(peer, family)
  for _, key in ipairs(peer.keys) do
    if key.family == family then return true end
  end
  return false
end

---@param c hexad.input.keys_compare
---@return hexad.finding[]
function P.evaluate(c)
  local found = {}
  for _, peer in ipairs(c.peers) do
    if not has(peer, WANTED) then
      found[#found + 1] = {
        id = "policy.NAME.missing", severity = "warning", peer = peer.address,
        params = { peer = peer.address, family = WANTED },
      }
    end
  end
  return found
end

return P
