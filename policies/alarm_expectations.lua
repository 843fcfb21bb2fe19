-- While a procedure restarts, upgrades, adds or removes a peer, it and the others
-- lose each other for a while. The alarms that say so of this peer are marked
-- expected: they are shown, and they still tell when they outlast the procedure.
--
-- Source: reference 4.2, 2.14, 11.
local P = policy {
  name = "alarm_expectations", api = 1, hook = "alarm.react", order = 100,
  title = { en = "Alarms that a procedure explains", ja = "手順の実行中に予想されるアラーム" },
}

-- communication and replication between peers
local EXPECTED = { [20004] = true, [20006] = true, [20008] = true, [20009] = true, [20016] = true, [20021] = true }

-- how long a peer may be gone, seconds
local AWAY = { upgrade = 1200, restart = 300 }
local USUALLY = 600

-- whether an alarm is about the peer that the procedure is about: raised by it,
-- or naming it and nobody else
local function explains(procedure, alarm)
  if alarm.peer == procedure.peer then return true end
  for named in string.gmatch((alarm.params or {}).peers or "", "[^%s,]+") do
    if named ~= procedure.peer then
      why("another_peer", { peer = named })
      return false
    end
  end
  if #procedure.peers > 0 and not list.contains(procedure.peers, alarm.peer) then
    why("another_peer", { peer = alarm.peer })
    return false
  end
  return true
end

function P.evaluate(c)
  if c.event ~= "raised" or not c.procedure then return nil end
  if not EXPECTED[c.alarm.id] then
    why("not_explained", { id = c.alarm.id })
    return nil
  end
  if not explains(c.procedure, c.alarm) then return nil end
  return { { act = "expect", for_s = AWAY[c.procedure.kind] or USUALLY, reason = "procedure_" .. c.procedure.kind } }
end

return P
