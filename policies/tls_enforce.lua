-- Before certificates are enforced every peer must pass: its address is an
-- FQDN, its certificate is valid, its issuer trusted, and a SAN is that
-- address. Peers that do not answer cannot be checked.
--
-- Source: reference 1.3, 2.5, 3.1 V14, 10; design 4; the seed, "Enforcing TLS
-- verification".
local P = policy {
  name = "tls_enforce", api = 1, hook = "cluster.validate", order = 130,
  title = { en = "Ready to enforce TLS verification", ja = "TLS検証を「強制」にできること" },
}

local function covers(sans, address)
  for _, name in ipairs(sans) do
    if string.lower(name) == string.lower(address) then return true end
  end
  return false
end

local function judge(c, peer, add)
  local cert = peer.certificate
  if not peer.reachable then
    -- in the periodic run the alarms of contact say it
    if c.occasion ~= "periodic" then add("cluster.tls.unverified", peer, nil, "warning") end
    return
  end
  local clean = true
  local function object(id, params)
    clean = false
    add(id, peer, params)
  end
  if cert.not_after > 0 and cert.not_after < c.now then
    object("cluster.tls.certificate_invalid", { peer = peer.address, reason = "expired" })
  end
  if not cert.chain_ok then object("cluster.tls.chain_not_trusted") end
  if not covers(cert.sans, peer.address) then
    local sans = #cert.sans > 0 and table.concat(cert.sans, ", ") or "-"
    object("cluster.tls.name_missing", { peer = peer.address, address = peer.address, sans = sans })
  end
  if clean and not cert.valid then
    object("cluster.tls.certificate_invalid", { peer = peer.address, reason = cert.reason })
  end
end

function P.evaluate(c)
  local found = {}
  if c.proposed.tls_mode ~= "Enforcing" then
    why("permissive")
    return found
  end
  -- it blocks the step to Enforcing and a join, not what is saved afterwards
  local blocks = c.occasion == "join" or c.occasion == "save" and c.current.tls_mode ~= "Enforcing"
  local function add(id, peer, params, weight)
    found[#found + 1] = {
      id = id, severity = weight or (blocks and "error" or "warning"), peer = peer.address,
      field = "ClusterConfiguration TLSVerify", params = params or { peer = peer.address },
      fix = { page = "/maintenance/certificates" },
    }
  end
  for i, peer in ipairs(c.peers) do
    if not fqdn.is_fqdn(peer.address) then
      add("cluster.tls.address_not_fqdn", peer, { index = i, address = peer.address, peer = peer.address })
    else
      judge(c, peer, add)
    end
  end
  return found
end

return P
