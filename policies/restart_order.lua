-- In a guided procedure peers restart one at a time, the primary first: each when the others are back
-- and have what the primary has, and some seconds after the restart before it and
-- after the last change of the configuration: long enough for what it may break to show.
-- A restart that an administrator asks for by itself is let through: joining and
-- removing peers need some.
--
-- Source: reference 2.13, 2.14, 11; the seed, "Restart sequence".
local P = policy {
  name = "restart_order", api = 1, hook = "procedure.gate", order = 900,
  title = { en = "Restart in order", ja = "再起動の順序" },
}

local AFTER_RESTART, AFTER_CHANGE, AGAIN = 5, 5, 5

local TAKES_A_PEER_DOWN = { restart = true, reboot = true, upgrade = true }

local ASKED_FOR = { restart = true, create_cluster = true, change_names = true, factory_reset = true, purge = true }

local function hold(seconds, reason)
  return { action = "wait", seconds = seconds, reason = reason }
end

-- what is left of a pause that began so many seconds ago, -1 for unknown
local function left(pause, since)
  return since >= 0 and since < pause and math.ceil(pause - since) or nil
end

function P.evaluate(c)
  if not TAKES_A_PEER_DOWN[c.step] then
    why("stays_up", { step = c.step })
    return accept {}
  end
  if ASKED_FOR[c.procedure] then
    why("asked_for", { procedure = c.procedure })
    return accept {}
  end

  local primary
  for _, peer in ipairs(c.peers) do
    if peer.index == c.cluster.primary_index then primary = peer end
  end
  -- Of a primary that is away nobody knows here whether it was restarted.
  local first = primary and primary.reachable and primary.address ~= c.peer
    and not list.contains(c.restarted, primary.address)
  if first then return reject { reason = "primary_first" } end

  for _, peer in ipairs(c.peers) do
    if peer.address ~= c.peer then
      if not peer.reachable or peer.state ~= "active" then
        why("not_back", { peer = peer.address, state = peer.state })
        return hold(AGAIN, "peer_not_back")
      end
      if primary and peer.config.revision ~= primary.config.revision then
        why("behind", { peer = peer.address })
        return hold(AGAIN, "not_replicated")
      end
    end
  end

  local pause = left(AFTER_RESTART, c.since_restart_s)
  if pause then return hold(pause, "after_restart") end
  pause = left(AFTER_CHANGE, c.since_change_s)
  if pause then return hold(pause, "after_change") end
  return accept {}
end

return P
