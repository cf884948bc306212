-- Script for wrk: posts the rows of a CSV (id,nik,nama). Each thread begins at another row.
local bodies, at, threads = {}, 0, 0

function setup(thread)
  thread:set("offset", threads)
  threads = threads + 1
end

function init(args)
  for line in io.lines(args[1]) do
    local nik, name = line:match("^%d+,(%d+),(.+)$")
    if nik then
      bodies[#bodies + 1] = string.format('{"id_number":"%s","name":"%s"}', nik, name)
    end
  end
  at = offset * math.floor(#bodies / 2)
  wrk.method = "POST"
  wrk.path = "/verify/id_name"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["X-DF-API-ID"] = "bench"
  wrk.headers["X-DF-API-SECRET"] = "bench"
end

function request()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
