-- An endpoint may register when the lists let it, when a licence of its kind is
-- free, and when no other peer holds its alias already. A refresh keeps the
-- licence that it has; of SIP it is held against the lists again.
--
-- Source: reference 7.6, 3.3.
local P = policy {
  name = "admit_registration", api = 1, hook = "registration.admit", order = 900,
  title = { en = "Registrations", ja = "登録" },
}

local function listed(c)
  if c.restriction == "deny_list" and c.listed == "deny" then return "on_deny_list" end
  if c.restriction == "allow_list" and c.listed ~= "allow" then return "not_on_allow_list" end
end

function P.evaluate(c)
  local reason = listed(c)
  if reason and not (c.refresh and c.protocol == "h323") then
    return reject { code = 403, reason = reason }
  end
  if c.refresh then return accept {} end

  if c.elsewhere then
    -- SIP may have one address at many places, calls fork to all of them
    if c.protocol == "h323" and c.conflict == "reject" then
      return reject { code = 403, reason = "alias_registered_elsewhere" }
    end
    why("elsewhere", { peer = c.elsewhere })
  end
  if c.licence.type ~= "" and c.licence.free < 1 then
    why("no_licence", { type = c.licence.type })
    return reject { code = 503, reason = "no_licence" }
  end
  return accept {}
end

return P
