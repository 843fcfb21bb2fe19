-- An extra prerequisite of this site: no peer joins with less than two NTP
-- servers. Those that are in are told of, and stay.
local P = policy {
  name = "two_ntp_servers", api = 1, hook = "peer.prerequisites", order = 300,
  title = { en = "Two NTP servers", ja = "NTPサーバは2台以上" },
  text = {
    ["policy.two_ntp_servers.few"] = {
      en = "{peer} has {count} NTP servers; this site wants two.",
      ja = "{peer}のNTPサーバは{count}台です。このサイトでは2台必要です。",
    },
  },
}

local function few(peer, severity)
  return {
    id = "policy.two_ntp_servers.few", severity = severity, peer = peer.address,
    params = { peer = peer.address, count = #peer.ntp.servers },
  }
end

function P.evaluate(c)
  local found = {}
  if c.candidate and #c.candidate.ntp.servers < 2 then found[1] = few(c.candidate, "error") end
  for _, peer in ipairs(c.peers) do
    if #peer.ntp.servers < 2 then found[#found + 1] = few(peer, "warning") end
  end
  return found
end

return P
