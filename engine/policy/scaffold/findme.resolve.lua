-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "findme.resolve", order = 300,
  title = { en = "Primary devices for 20 seconds", ja = "プライマリデバイスを20秒呼び出す" },
}

---@param c hexad.input.findme_resolve
---@return hexad.answer.findme_resolve_type
function P.evaluate(c)
  local first = {}
  for _, device in ipairs(c.devices) do
    if device.role == "primary" and device.registered then
      first[#first + 1] = device.alias
    end
  end
  if #first == 0 then
    why("no_primary_device")
    return nil -- not mine: the next script decides
  end
  return { rings = { { aliases = first, seconds = 20 } } }
end

return P
