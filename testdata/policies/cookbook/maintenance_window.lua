-- Steps that restart a peer wait for the maintenance window of this site, whose
-- hours (UTC) stand in a data table: from = "17", to = "20".
local P = policy {
  name = "maintenance_window", api = 1, hook = "procedure.gate", order = 300,
  title = { en = "Maintenance window", ja = "メンテナンス時間帯" },
  uses = { data = { "maintenance" } },
}

function P.evaluate(c)
  if not re.match("restart|upgrade", c.step) then return nil end
  local from, to = tonumber(data("maintenance").from), tonumber(data("maintenance").to)
  if not from or not to then
    why("no_window")
    return nil
  end
  local second = c.now % 86400
  if second >= from * 3600 and second < to * 3600 then return nil end
  local wait = (from * 3600 - second) % 86400
  why("outside", { wait = wait })
  return { action = "wait", seconds = math.min(wait, 3600), reason = "maintenance_window" } -- asked again each hour
end

return P
