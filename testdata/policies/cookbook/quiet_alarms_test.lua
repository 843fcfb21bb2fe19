local MIDNIGHT = 1800230400 - 9 * 3600 -- in Japan

local function raised(id, hour) return evaluate({ now = MIDNIGHT + hour * 3600, event = "raised", alarm = { id = id } }) end

function test_expected_until_five() expect.equal(raised(20004, 2), { { act = "expect", for_s = 3 * 3600, reason = "line switching at night" } }) end
function test_by_day_it_is_an_alarm() expect.equal(raised(20004, 12), {}) end
function test_five_is_over() expect.equal(raised(20004, 5), {}) end
function test_other_alarms_are_untouched() expect.equal(raised(20012, 2), {}) end
function test_lowering_is_no_matter() expect.equal(evaluate({ now = MIDNIGHT + 7200, event = "lowered", alarm = { id = 20004 } }), {}) end
