-- A call that went through too many systems ends here, and nobody who comes in
-- from outside without a password dials out again: numbers with an outside
-- prefix are what toll fraud asks for.
--
-- Source: reference 7.4 (hop count), 7.9 (call policy).
local P = policy {
  name = "call_guard", api = 1, hook = "call.admit", order = 100,
  title = { en = "Hop count and toll fraud", ja = "ホップ数と不正通話の防止" },
}

-- where strangers come from; a neighbour is a system of one's own
local OUTSIDE = { default = true, dns = true, enum = true, traversal = true }

-- an outside line, international with 00 or +, then a number
local DIALS_OUT = [[^(9|00|\+)\d{6,}(@|$)]]

function P.evaluate(c)
  if c.hops < 1 then return reject { code = 483, reason = "too_many_hops" } end
  if c.source.authenticated or not OUTSIDE[c.source.zone_type] then return nil end
  if re.match(DIALS_OUT, c.alias) then
    why("dials_out", { alias = c.alias, zone = c.source.zone })
    return reject { code = 403, reason = "toll_fraud_guard" }
  end
  return nil
end

return P
