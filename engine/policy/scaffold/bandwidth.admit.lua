-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "bandwidth.admit", order = 300,
  title = { en = "At most 2 Mbit/s for each call", ja = "1通話あたり最大2 Mbit/s" },
}

local MOST = 2048

---@param c hexad.input.bandwidth_admit
---@return hexad.answer.bandwidth_admit_type
function P.evaluate(c)
  if c.requested > MOST then
    why("capped", { requested = c.requested })
    return accept { kbps = MOST }
  end
  return nil -- not mine: the next script decides
end

return P
