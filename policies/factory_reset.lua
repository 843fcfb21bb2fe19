-- Saving an empty peer list arms a factory reset for the next restart. Putting
-- the same addresses back, in the same order, disarms it. Before 12.6 the
-- certificate, its key and the trust store outlived a reset.
--
-- Source: the seed, "Removing a peer"; reference 2.7, 2.12.
local P = policy {
  name = "factory_reset", api = 1, hook = "cluster.peers_changed", order = 900,
  title = { en = "Factory reset on empty peers", ja = "ピア全削除時の工場出荷時リセット" },
}

local ALWAYS_KEPT = {
  "network.lan1.ip", "accounts.admin", "accounts.root", "ssh.host_keys",
  "option_keys", "access.https", "access.ssh",
}

local CERTIFICATES = { "tls.server_certificate", "tls.private_key", "tls.trust_store" }

-- names are the same in upper and lower case
local function same(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if string.lower(a[i]) ~= string.lower(b[i]) then return false end
  end
  return true
end

-- numbers below 8 are not of the series that 12.6 belongs to
local function keeps_certificates(release)
  return version.major(release) >= 8 and version.less(release, "12.6")
end

function P.evaluate(c)
  local was, now = c.previous.peer_addresses, c.proposed.peer_addresses

  if c.reset.armed and #now > 0 then
    if same(c.reset.armed_from, now) then
      why("restored_in_order")
      return { reset = "disarm" }
    end
    why("restored_in_other_order")
    return { reset = "keep_armed", banner = "factory_reset_order_differs" }
  end

  if #was == 0 or #now > 0 then
    why("peers_present")
    return { reset = "none" }
  end

  local keep = {}
  for i, k in ipairs(ALWAYS_KEPT) do keep[i] = k end
  if keeps_certificates(c.self.version) then
    for _, k in ipairs(CERTIFICATES) do keep[#keep + 1] = k end
  end
  local missing = c.reset_image ~= "present"
  if missing then why("reset_image_missing") end
  return {
    reset = "arm", keep = keep, banner = "factory_reset_on_restart",
    blocked = missing and "no_reset_image" or nil,
  }
end

return P
