-- The last registrations are kept for those who must always get one.
local P = policy {
  name = "vip_licences", api = 1, hook = "registration.admit", order = 300,
  title = { en = "Reserved registrations", ja = "優先利用者のための登録枠" },
  uses = { data = { "vip" } }, -- alias -> who
}

local RESERVED = 5

function P.evaluate(c)
  if c.refresh or c.licence.type == "" or c.licence.free > RESERVED then return nil end
  for _, a in ipairs(c.aliases) do
    local who = data("vip")[a]
    if who then
      why("vip", { alias = a, who = who })
      return nil -- the next script looks at the rest
    end
  end
  why("reserved", { free = c.licence.free })
  return reject { code = 503, reason = "licences_reserved" }
end

return P
