-- What this policy is for, in a sentence or two: people read it in the console.
local P = policy {
  name = "NAME", api = 1, hook = "cluster.validate", order = 300,
  title = { en = "Cluster name ends in the company domain", ja = "クラスタ名は社内ドメインで終わる" },
  -- texts of the findings that this script makes itself: policy.NAME.WORD
  text = {
    ["policy.NAME.domain"] = {
      en = "Cluster name {name} does not end in {domain}.",
      ja = "クラスタ名{name}が{domain}で終わっていません。",
    },
  },
}

local DOMAIN = ".example.com"

---@param c hexad.input.cluster_validate
---@return hexad.finding[]
function P.evaluate(c)
  local found = {}
  local name = c.proposed.name
  if name == "" then
    why("no_name") -- a line in the explanation of each decision
  elseif name:sub(-#DOMAIN) ~= DOMAIN then
    found[#found + 1] = {
      id = "policy.NAME.domain", severity = "warning", -- error would refuse the save
      field = "Alternates Cluster Name", params = { name = name, domain = DOMAIN },
    }
  end
  return found
end

return P
