-- However a number is dialled, the search sees it as +E.164.
local P = policy {
  name = "e164", api = 1, hook = "search.transform", order = 300,
  title = { en = "Numbers become E.164", ja = "番号をE.164に正規化" },
}

local COUNTRY = "81"

local function e164(number)
  if number:sub(1, 1) == "+" then return nil end -- it is one already
  local international = re.match("^(?:00|010)(\\d{6,})$", number)
  if international then return "+" .. re.replace("^(?:00|010)", number, "") end
  if re.match("^0\\d{8,}$", number) then return "+" .. COUNTRY .. number:sub(2) end
  return nil
end

function P.evaluate(c)
  local number = re.replace("[-. ()]", alias.user(c.alias), "")
  local to = e164(number)
  if not to then return nil end
  why("e164", { from = number, to = to })
  local domain = alias.domain(c.alias)
  return { alias = domain == "" and to or to .. "@" .. domain }
end

return P
