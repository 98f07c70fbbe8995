-- Repeats one request. Prints the result as one line of JSON.
local body = io.open(os.getenv("BENCH_BODY"), "rb")
wrk.method = "POST"
wrk.body = body:read("*a")
wrk.headers["Content-Type"] = os.getenv("BENCH_CONTENT_TYPE")
wrk.headers["Authorization"] = os.getenv("BENCH_AUTHORIZATION")
body:close()

-- Each run of twelve hash signs becomes a new number, so that no two events have the same id.
local template = wrk.body
if template:find("############", 1, true) then
  local number = os.time() % 100000 * 10000000
  request = function()
    local unique = template:gsub("############", function()
      number = number + 1
      return string.format("%012d", number)
    end)
    return wrk.format(nil, nil, nil, unique)
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"latency":{"p50":%.3f,"p99":%.3f},"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
