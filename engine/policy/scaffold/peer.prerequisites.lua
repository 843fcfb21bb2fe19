-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "peer.prerequisites", order = 300,
  title = { en = "Peers have two DNS servers", ja = "ピアにDNSサーバが2台ある" },
  -- texts of the findings that this script makes itself: policy.NAME.WORD
  text = {
    ["policy.NAME.one_dns_server"] = {
      en = "{peer} has {count} DNS servers; two are wanted.",
      ja = "{peer}のDNSサーバは{count}台です。2台必要です。",
    },
  },
}

---@param c hexad.input.peer_prerequisites
---@return hexad.finding[]
function P.evaluate(c)
  local found = {}
  for _, peer in ipairs(c.peers) do
    if #peer.dns_servers < 2 then
      why("few", { peer = peer.address, count = #peer.dns_servers })
      found[#found + 1] = {
        id = "policy.NAME.one_dns_server", severity = "info", peer = peer.address,
        params = { peer = peer.address, count = #peer.dns_servers },
      }
    end
  end
  return found
end

return P
