-- The built-in peer_identity answers this hook first and always, and nothing
-- replaces it: a script behind it serves to be tried with eval, not to decide.
-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "peer.identity", order = 300,
  title = { en = "Certificates of a test authority", ja = "試験用認証局の証明書" },
}

---@param c hexad.input.peer_identity
---@return hexad.answer.peer_identity_type
function P.evaluate(c)
  for _, name in ipairs(c.names) do
    if fqdn.match("*.test.example.com", name) then
      why("test_name", { name = name })
      return reject { reason = "test_certificate" }
    end
  end
  return nil -- not mine: the next script decides
end

return P
