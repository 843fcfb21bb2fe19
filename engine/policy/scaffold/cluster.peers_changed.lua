-- The built-in factory_reset answers this hook first and always, and nothing
-- replaces it: a script behind it serves to be tried with eval, not to decide.
-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "cluster.peers_changed", order = 300,
  title = { en = "Peer list changes are noted", ja = "ピア一覧の変更を記録する" },
}

---@param c hexad.input.cluster_peers_changed
---@return hexad.answer.cluster_peers_changed_type
function P.evaluate(c)
  why("changed", { before = #c.previous.peer_addresses, now = #c.proposed.peer_addresses })
  return nil -- not mine: the next script decides
end

return P
