-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "alarm.react", order = 300,
  title = { en = "Tell the duty officer of critical alarms", ja = "重大なアラームを当番に通知する" },
}

---@param c hexad.input.alarm_react
---@return hexad.answer.alarm_react_type
function P.evaluate(c)
  if c.alarm.severity == "critical" and not c.alarm.acknowledged then
    return { { act = "notify", to = "duty@example.com" } }
  end
  return {}
end

return P
