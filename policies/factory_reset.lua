-- Saving an empty peer list arms a factory reset for the next restart. Putting
-- the same addresses back, in the same order, disarms it. What is kept follows
-- from the release: before 8.11 an empty list reset nothing, and before 12.6 the
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

-- what was kept before a release, and is lost from it on
local KEPT_BEFORE = {
  { release = "12.6", names = { "tls.server_certificate", "tls.private_key", "tls.trust_store" } },
}

-- the release since which an empty list resets
local SINCE = "8.11"

-- names are the same in upper and lower case
local function same(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if string.lower(a[i]) ~= string.lower(b[i]) then return false end
  end
  return true
end

-- numbers below 8 are not of the series that these releases belong to: they are today's
local function before(release, other)
  return version.major(release) >= 8 and version.less(release, other)
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

  if before(c.self.version, SINCE) then
    why("release_without_reset")
    return { reset = "none" }
  end

  local keep = {}
  for i, k in ipairs(ALWAYS_KEPT) do keep[i] = k end
  for _, change in ipairs(KEPT_BEFORE) do
    if before(c.self.version, change.release) then
      why("kept_before_release", { release = change.release })
      for _, k in ipairs(change.names) do keep[#keep + 1] = k end
    end
  end
  local missing = c.reset_image ~= "present"
  if missing then why("reset_image_missing") end
  return {
    reset = "arm", keep = keep, banner = "factory_reset_on_restart",
    blocked = missing and "no_reset_image" or nil,
  }
end

return P
