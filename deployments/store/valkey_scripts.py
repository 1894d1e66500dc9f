"""The session store's rules as Lua scripts: a Valkey or Redis server runs each of them as one atomic step.

The rules are those of `ghostrouter/sessions/memory_store.py`; one test suite checks both. A session is a hash and a
stream. Growth number i has the id (i+1)-0 in the stream; other entries only wake followers. The server's clock counts.
"""

# Of `read`, by position.
FIELDS = ("epoch", "owner", "outcome", "lease_left_ms", "silent_ms", "opening", "ending", "last_id", "claimed")

_COMMON = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function state(key, ...)
  return redis.call('HMGET', key, ...)
end

local function touch(key, keep)
  redis.call('PEXPIRE', key, keep)
  redis.call('PEXPIRE', key .. ':growths', keep)
end

local function wake(key, count)
  redis.call('XADD', key .. ':growths', count .. '-*', 'w', '')
end

local function read(key, owner, after, claimed)
  local s = state(key, 'epoch', 'owner', 'outcome', 'lease', 'written', 'ending', 'count')
  if not s[1] or s[2] ~= owner then
    return redis.call('EXISTS', key .. ':was') == 1 and not s[1] and 'expired' or 'missing'
  end
  local growths = {}
  for _, item in ipairs(redis.call('XRANGE', key .. ':growths', math.max(after, 0) + 1 .. '-0', '+')) do
    if item[2][1] == 'g' then growths[#growths + 1] = item[2][2] end
  end
  if #growths ~= math.max(0, s[7] - math.max(after, 0)) then  -- the server has evicted the stream
    redis.call('DEL', key, key .. ':growths')
    return 'expired'
  end
  local last = redis.call('XREVRANGE', key .. ':growths', '+', '-', 'COUNT', 1)
  local opening = after < 0 and redis.call('HGET', key, 'opening') or ''
  local silent = now - s[5]
  return {
    s[1], s[2], s[3], math.max(0, s[4] - now), silent, opening, s[6] or '', last[1] and last[1][1] or '0-0', claimed,
    growths
  }
end

local function over(outcome)
  return outcome ~= 'running' and outcome ~= 'disconnected'
end
"""

WRITE = (
    _COMMON
    + """
local lease, keep, remember = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function write(key, epoch, kind, index, payload, owner, outcome)
  local s = state(key, 'epoch', 'count', 'cancelled', 'outcome')
  if kind == 'opening' and s[4] == 'failed' and tonumber(s[2]) == 0 then
    redis.call('DEL', key)
    s[1] = nil
  end
  if not s[1] then
    if kind ~= 'opening' and redis.call('EXISTS', key .. ':was') == 1 then return 'expired' end
    if kind ~= 'opening' and kind ~= 'again' then return 'missing' end
    redis.call('DEL', key .. ':growths')
    redis.call('HSET', key, 'epoch', epoch, 'owner', owner, 'opening', payload, 'count', 0, 'outcome', 'running',
      'lease', now + lease, 'written', now)
    redis.call('SET', key .. ':was', '', 'PX', remember)
    touch(key, keep)
    return 'ok'
  end
  if kind == 'opening' then return epoch == s[1] and 'ok' or 'exists' end
  if epoch < s[1] then return 'moved' end
  touch(key, keep)
  local count = tonumber(s[2])
  if epoch > s[1] then
    redis.call('DEL', key .. ':growths')
    redis.call('HSET', key, 'epoch', epoch, 'count', 0, 'outcome', 'running')
    redis.call('HDEL', key, 'ending')
    count = 0
  end
  redis.call('HSET', key, 'lease', now + lease)
  if kind == 'again' then return 'ok' end
  if s[3] and kind ~= 'ending' then return 'cancelled' end
  if not s[3] and index > count then return 'missing' end
  if kind == 'ending' then
    redis.call('HSET', key, 'lease', now, 'ending', payload, 'outcome', s[3] and 'cancelled' or outcome)
    wake(key, count)
    touch(key, keep)
    return 'ok'
  end
  if kind == 'growth' and index == count then
    redis.call('XADD', key .. ':growths', index + 1 .. '-0', 'g', payload)
    redis.call('HSET', key, 'count', index + 1, 'written', now)
    if count == 0 then touch(key, keep) end
  end
  return 'ok'
end

local answers = {}
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 6
  answers[i] = write(key, ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5], ARGV[at + 6])
end
return answers
"""
)

READ = (
    _COMMON
    + """
return read(KEYS[1], ARGV[1], tonumber(ARGV[2]), '')
"""
)

CLAIM = (
    _COMMON
    + """
local key = KEYS[1]
local s = state(key, 'epoch', 'owner', 'outcome', 'lease')
if s[1] and s[2] == ARGV[1] and not over(s[3]) and tonumber(s[4]) <= now then
  local number = tonumber(string.sub(s[1], 1, 10)) + 1
  redis.call('HSET', key, 'epoch', string.format('%010d-%s', number, ARGV[2]), 'lease', now + ARGV[3],
    'outcome', 'running')
  touch(key, ARGV[4])
  return read(key, ARGV[1], -1, '1')
end
return read(key, ARGV[1], -1, '')
"""
)

CANCEL = (
    _COMMON
    + """
local key = KEYS[1]
local s = state(key, 'epoch', 'owner', 'outcome', 'count')
if s[1] and s[2] == ARGV[1] and not over(s[3]) then
  redis.call('HSET', key, 'cancelled', 1, 'outcome', 'cancelled')
  wake(key, s[4])
end
return read(key, ARGV[1], -1, '')
"""
)
