-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "registration.admit", order = 300,
  title = { en = "Guests register from inside only", ja = "ゲストの登録は社内からのみ" },
}

---@param c hexad.input.registration_admit
---@return hexad.answer.registration_admit_type
function P.evaluate(c)
  for _, a in ipairs(c.aliases) do
    if re.match("^guest", alias.user(a)) and not ip.is_private(c.source_ip) then
      why("guest_outside", { alias = a, ip = c.source_ip })
      return reject { code = 403, reason = "guest_outside" }
    end
  end
  return nil -- not mine: the next script decides
end

return P
