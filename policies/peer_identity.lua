-- The other side of a session between peers is the peer that its address says:
-- a SAN of its certificate is the configured name, or the name that the address
-- mapping gives to the address that it comes from. Where the mapping knows the
-- configured name, the source must be the mapped address. Permissive accepts
-- what it cannot prove, and says so; the key is pinned in both modes. Scripts of
-- a site are asked before and may refuse more; what they accept is judged here.
--
-- Source: reference 1.10, 10; design 4.
local P = policy {
  name = "peer_identity", api = 1, hook = "peer.identity", order = 900,
  title = { en = "Identity of peers", ja = "ピアの識別" },
}

local function has(sans, name)
  for _, san in ipairs(sans) do
    if string.lower(san) == string.lower(name) then return true end
  end
  return false
end

-- the name that proves the peer, or nil and why there is none
local function proof(c)
  local configured = c.configured_address
  for _, m in ipairs(c.mapping) do
    if c.source_ip ~= "" and m.ip == c.source_ip and has(c.sans, m.fqdn) then
      if string.lower(m.fqdn) == string.lower(configured) or configured == m.ip then return m.fqdn end
    end
  end
  for _, m in ipairs(c.mapping) do
    if string.lower(m.fqdn) == string.lower(configured) and c.source_ip ~= "" and m.ip ~= c.source_ip then
      return nil, "source_not_mapped"
    end
  end
  if not fqdn.is_fqdn(configured) then return nil, "address_not_fqdn" end
  if has(c.sans, configured) then return configured end
  return nil, "name_missing"
end

function P.evaluate(c)
  local name, reason = proof(c)
  if name and not c.chain_ok then reason = "chain_not_trusted" end
  if not reason then
    why("proved", { name = name })
    return accept { name = name }
  end
  if c.tls_mode == "Enforcing" then
    return reject { reason = reason }
  end
  why("not_proved", { reason = reason })
  return accept { name = name, reason = reason }
end

return P
