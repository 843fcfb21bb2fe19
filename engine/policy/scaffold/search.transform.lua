-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "search.transform", order = 300,
  title = { en = "Short numbers get the company domain", ja = "短縮番号に社内ドメインを付ける" },
}

---@param c hexad.input.search_transform
---@return hexad.answer.search_transform_type
function P.evaluate(c)
  if re.match("^\\d{4}$", c.alias) then
    return { alias = c.alias .. "@example.com" }
  end
  return nil -- unchanged
end

return P
