-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "capacity.limit", order = 300,
  title = { en = "Count reachable peers only", ja = "応答しているピアだけを数える" },
}

---@param c hexad.input.capacity_limit
---@return hexad.answer.capacity_limit_type
function P.evaluate(c)
  local calls, registrations, counted = 0, 0, 0
  for _, peer in ipairs(c.peers) do
    if peer.size == "small" then return nil end -- small machines give no extra capacity
    if peer.reachable and counted < 4 then
      counted = counted + 1
      calls = calls + peer.calls_capacity
      registrations = registrations + peer.registrations_capacity
    end
  end
  if counted == 0 then return nil end -- not mine: the next script decides
  return { calls = calls, registrations = registrations, counted_peers = counted, reason = "reachable_peers" }
end

return P
