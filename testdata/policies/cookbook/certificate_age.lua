-- Stricter than the built-in rule: a certificate that ends within 30 days is
-- told of, and Enforce is not turned on over one with a wildcard.
local P = policy {
  name = "certificate_age", api = 1, hook = "cluster.validate", order = 300,
  title = { en = "Certificates: age and wildcards", ja = "証明書の期限とワイルドカード" },
  text = {
    ["policy.certificate_age.ends_soon"] = {
      en = "The certificate of {peer} ends in {days} days.", ja = "{peer}の証明書はあと{days}日で期限が切れます。",
    },
    ["policy.certificate_age.wildcard"] = {
      en = "The certificate of {peer} names {name}, which every host of the domain matches.",
      ja = "{peer}の証明書の{name}は、ドメイン内のすべてのホストに一致します。",
    },
  },
}

local DAY, NEAR = 86400, 30

local function wildcard(peer)
  for _, name in ipairs(peer.certificate.sans) do
    if name:sub(1, 2) == "*." then return name end
  end
  return nil
end

function P.evaluate(c)
  local found = {}
  for _, peer in ipairs(c.peers) do
    local ends = peer.certificate.not_after
    local days = math.floor((ends - c.now) / DAY)
    if ends > 0 and days < NEAR then
      found[#found + 1] = {
        id = "policy.certificate_age.ends_soon", severity = "warning", peer = peer.address,
        params = { peer = peer.address, days = days },
      }
    end
    local name = c.proposed.tls_mode == "Enforcing" and wildcard(peer)
    if name then
      found[#found + 1] = {
        id = "policy.certificate_age.wildcard", severity = c.occasion == "save" and "error" or "warning",
        peer = peer.address, params = { peer = peer.address, name = name },
      }
    end
  end
  return found
end

return P
