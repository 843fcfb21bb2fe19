-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "call.admit", order = 300,
  title = { en = "Boardrooms need authentication", ja = "役員会議室への発信には認証が必要" },
}

---@param c hexad.input.call_admit
---@return hexad.answer.call_admit_type
function P.evaluate(c)
  if re.match("^boardroom\\d+@", c.alias) and not c.source.authenticated then
    why("boardroom", { alias = c.alias })
    return reject { code = 403, reason = "boardroom_unauthenticated" }
  end
  return nil -- not mine: the next script decides
end

return P
