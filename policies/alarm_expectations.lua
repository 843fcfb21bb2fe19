-- While a guided procedure restarts, upgrades, adds or removes a peer, the other
-- peers lose it for a while. The alarms that say so are marked expected: they are
-- shown, and they still tell when they outlast the procedure.
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

function P.evaluate(c)
  if c.event ~= "raised" or not c.procedure then return nil end
  if not EXPECTED[c.alarm.id] then
    why("not_explained", { id = c.alarm.id })
    return nil
  end
  if #c.procedure.peers > 0 and not list.contains(c.procedure.peers, c.alarm.peer) then
    why("another_peer", { peer = c.alarm.peer })
    return nil
  end
  return { { act = "expect", for_s = AWAY[c.procedure.kind] or USUALLY, reason = "procedure_" .. c.procedure.kind } }
end

return P
