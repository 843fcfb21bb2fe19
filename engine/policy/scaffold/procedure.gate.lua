-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "procedure.gate", order = 300,
  title = { en = "Ten minutes between two steps", ja = "ステップの間に10分おく" },
}

local PAUSE = 600

---@param c hexad.input.procedure_gate
---@return hexad.answer.procedure_gate_type
function P.evaluate(c)
  if c.since_restart_s < PAUSE then
    return { action = "wait", seconds = PAUSE - c.since_restart_s, reason = "pause" }
  end
  return nil -- not mine: the next script decides
end

return P
