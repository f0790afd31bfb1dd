/**
 * What has to happen at once, as Redis runs it: nothing comes between two lines of a script. Keys of one installation carry one hash
 * tag, so that a cluster keeps them together.
 */

/** Lua writes a large number with an exponent, which no id of a stream may have. */
const idOf = `local function idOf(seq) return string.format('%.0f-0', seq) end\n`;
const checkEpoch = `if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return redis.error_reply('EPOCH is another') end\n`;

/** KEYS: unit. ARGV: epoch, checkpoint, whether there is one. */
export const KEEP_CHECKPOINT = `${checkEpoch}
if ARGV[3] == '1' then redis.call('HSET', KEYS[1], 'checkpoint', ARGV[2]) else redis.call('HDEL', KEYS[1], 'checkpoint') end
return 1`;

/** KEYS: unit, then facts and log of each queue. ARGV: epoch, checkpoint, whether there is one, now; for each queue how many, then op, key, record and stamp of each. */
export const APPEND = `${idOf}${checkEpoch}
for k = 2, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[k]) == 0 then return redis.error_reply('GONE is the queue') end
end
local at = 5
for k = 2, #KEYS, 2 do
  local count = tonumber(ARGV[at])
  at = at + 1
  local seq = redis.call('HINCRBY', KEYS[k], 'last', count) - count
  for i = 1, count do
    seq = seq + 1
    redis.call('XADD', KEYS[k + 1], idOf(seq), 'op', ARGV[at], 'key', ARGV[at + 1], 'record', ARGV[at + 2], 'stamp', ARGV[at + 3], 'at', ARGV[4])
    at = at + 4
  end
end
if ARGV[3] == '1' then redis.call('HSET', KEYS[1], 'checkpoint', ARGV[2]) end
return 1`;

/** KEYS: facts, names. ARGV: schema as it was read (empty: there was none), schema, id, name. Answers 0 when it has changed meanwhile. */
export const PREPARE = `
local known = redis.call('HGET', KEYS[1], 'schema')
if (known or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'schema', ARGV[2])
redis.call('HSETNX', KEYS[1], 'id', ARGV[3])
redis.call('HSETNX', KEYS[1], 'last', '0')
redis.call('HSETNX', KEYS[1], 'gone', '0')
redis.call('SADD', KEYS[2], ARGV[4])
return 1`;

/**
 * KEYS: facts, log, consumers, seen. ARGV: consumer, seq, now, kept since. The consumer is a group of the stream as well, which is what
 * Redis's own tools show.
 */
export const ACKNOWLEDGE = `${idOf}
redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[1], '0', 'MKSTREAM')
redis.call('XGROUP', 'SETID', KEYS[2], ARGV[1], idOf(tonumber(ARGV[2])))
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
local bound = nil
for _, seq in ipairs(redis.call('HVALS', KEYS[3])) do
  if bound == nil or tonumber(seq) < bound then bound = tonumber(seq) end
end
local from = '-'
local keptSince = tonumber(ARGV[4])
local isOld = true
while isOld do
  local messages = redis.call('XRANGE', KEYS[2], from, idOf(bound), 'COUNT', '200')
  if #messages == 0 then break end
  for _, message in ipairs(messages) do
    local seq = tonumber(string.match(message[1], '^%d+'))
    local fields = message[2]
    local atMs = 0
    for f = 1, #fields, 2 do if fields[f] == 'at' then atMs = tonumber(fields[f + 1]) end end
    if atMs >= keptSince then
      bound = seq - 1
      isOld = false
      break
    end
    from = idOf(seq + 1)
  end
end
local gone = redis.call('XTRIM', KEYS[2], 'MINID', idOf(bound + 1))
if gone > 0 and tonumber(redis.call('HGET', KEYS[1], 'gone')) < bound then redis.call('HSET', KEYS[1], 'gone', string.format('%.0f', bound)) end
return gone`;
