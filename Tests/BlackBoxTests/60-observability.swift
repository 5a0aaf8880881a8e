// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Observability")
    struct Observability {
        @Test("every answer carries a request id of its own, or the client's")
        func requestID() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, _ in
                var ids: Set<String> = []
                let replies = [
                    try fleet.get("/health"), try fleet.get("/nothing"), try fleet.chat("up/m"),
                    try fleet.chat("up/m", #""stream":true"#), try fleet.chat("nope"),
                    try fleet.post("/v1/chat/completions", "{"),
                    try fleet.exchangeRaw(Array("GARBAGE\r\n\r\n".utf8)),
                    try fleet.exchange(HTTPRequestText.bytes("OPTIONS", "/v1/models")),
                ]
                for reply in replies {
                    let values = reply.head.fields.values("x-request-id")
                    #expect(values.count == 1)
                    ids.formUnion(values)
                }
                #expect(ids.count == replies.count, "\(ids)")
                let own = try fleet.get("/health", fields: [WireField("X-Request-Id", "my-id.1")])
                #expect(own.value("x-request-id") == "my-id.1")
                for odd in [String(repeating: "x", count: 500), "a\"b", "a b", "\u{E9}"] {
                    let reply = try fleet.get("/health", fields: [WireField("x-request-id", odd)])
                    #expect(reply.value("x-request-id") != odd)
                    #expect(reply.value("x-request-id")?.isEmpty == false)
                }
            }
        }

        @Test("the correlation id is echoed and goes upstream, with the trace")
        func correlation() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
                let fields = [
                    WireField("x-correlation-id", "corr-7"), WireField("traceparent", trace),
                    WireField("tracestate", "a=b"),
                ]
                for members in ["", #""stream":true"#] {
                    let reply = try fleet.chat("up/m", members, fields: fields)
                    #expect(reply.value("x-correlation-id") == "corr-7")
                    let request = try #require(upstream.requests.last)
                    #expect(request.value("x-correlation-id") == "corr-7")
                    #expect(request.value("traceparent") == trace)
                    #expect(request.value("tracestate") == "a=b")
                }
                let error = try fleet.chat("nope", fields: fields)
                #expect(error.value("x-correlation-id") == "corr-7")
                let plain = try fleet.chat("up/m")
                #expect(plain.value("x-correlation-id") == nil)
            }
        }

        @Test("each request has one access line with all that an operator asks for")
        func accessLog() throws {
            try BlackBox.withUpstream(try .answering(), ClientKeys.settings) { fleet, _ in
                let fields = [
                    WireField("x-request-id", "r-1"), WireField("x-correlation-id", "c-1"),
                    WireField("authorization", "Bearer sk-test-a"),
                ]
                let target = "/v1/chat/completions?secret=1"
                let body = Fleet.chat("up/m")
                let reply = try fleet.post(target, body, fields: fields)
                #expect(reply.status == 200)
                let record = try fleet.waitForLog("r-1") { $0["request_id"]?.string == "r-1" }
                let expected: [String: JSONValue] = [
                    "level": .string("info"), "msg": .string("request"),
                    "correlation_id": .string("c-1"), "method": .string("POST"),
                    "path": .string("/v1/chat/completions"), "route": .string("chat_completions"),
                    "model": .string("up/m"), "upstream": .string("up"), "status": .number(200),
                    "stream": .bool(false), "tokens_in": .number(5), "tokens_out": .number(7),
                    "key": .string("team-a"), "attempts": .number(1),
                    "ending": .string("complete"),
                ]
                for (name, value) in expected { #expect(record[name] == value, "\(name)") }
                #expect(record["client"]?.string?.hasPrefix("127.0.0.1") == true)
                #expect(record["error"] == nil)
                let total = try #require(record["duration_ms"]?.number)
                #expect(record["upstream_ms"]?.number ?? -1 > 0)
                #expect(record["ttfb_ms"]?.number ?? .infinity <= total)
                #expect(record["bytes_in"]?.int ?? 0 > body.utf8.count)
                #expect(record["bytes_out"]?.int ?? 0 > reply.body.count)
                let worker = try fleet.readyWorkers()[0]
                #expect(record["pid"]?.int == Int(worker))
                let time = try #require(record["ts"]?.string)
                #expect(time.hasPrefix("20") && time.hasSuffix("Z"), "\(time)")

                _ = try fleet.chat("up/m", #""stream":true"#, fields: fields)
                _ = try fleet.get("/v1/models", fields: [WireField("x-request-id", "r-2")])
                let refused = try fleet.waitForLog("r-2") { $0["request_id"]?.string == "r-2" }
                #expect(refused["status"]?.int == 401)
                #expect(refused["ending"]?.string == "refused")
                #expect(refused["error"]?.string?.isEmpty == false)
                #expect(refused["key"] == nil)
                let lines = try fleet.log().filter { $0["msg"]?.string == "request" }
                #expect(lines.count == 3)
                #expect(lines.filter { $0["stream"]?.bool == true }.count == 1)
            }
        }

        @Test("text from outside cannot break a log line")
        func logInjection() throws {
            try BlackBox.withFleet { fleet in
                let model = #"x\"}\n{\"level\":\"error\u0000\u001b[31m"#
                _ = try fleet.chat(model)
                _ = try fleet.get("/a%0A%22b\"c", fields: [WireField("user-agent", "\"}")])
                _ = try fleet.waitForMetrics("two answers") { $0.sum("apus_requests_total") >= 2 }
                _ = try fleet.waitForLog("the second") { $0["path"]?.string?.contains("b") == true }
                let lines = try fleet.log().filter { $0["msg"]?.string == "request" }
                #expect(lines.count == 2)
                #expect(!fleet.process.lines().joined().contains("\u{1B}"))
            }
        }

        @Test("logs.access false writes no access lines")
        func noAccessLog() throws {
            try BlackBox.withFleet(FleetSettings(#""logs": { "access": false }"#)) { fleet in
                #expect(try fleet.get("/health").status == 200)
                // Behind the end of the worker there is no line of it that is still under way.
                try fleet.process.signal(.terminate)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                try fleet.process.waitForEndOfOutput()
                #expect(try fleet.log().contains { $0["msg"]?.string == "worker exited" })
                #expect(try fleet.log().filter { $0["msg"]?.string == "request" }.isEmpty)
            }
        }

        @Test("metrics count every request over all workers exactly, and histograms add up")
        func exactCounts() throws {
            try BlackBox.withUpstream(try .answering(), FleetSettings(workers: 3)) { fleet, _ in
                for _ in 0..<20 {
                    _ = try fleet.chat("up/m")
                    _ = try fleet.chat("up/m", #""stream":true"#)
                    _ = try fleet.chat("nope")
                    _ = try fleet.get("/health")
                    _ = try fleet.get("/nothing")
                    _ = try fleet.exchangeRaw(Array("GARBAGE\r\n\r\n".utf8))
                    _ = try fleet.chat("demo/500")
                }
                let rows: [([String: String], Double)] = [
                    (["route": "chat_completions", "code_class": "2xx"], 40),
                    (["route": "chat_completions", "code_class": "4xx"], 20),
                    (["route": "chat_completions", "code_class": "5xx"], 20),
                    (["route": "health", "code_class": "2xx"], 20),
                    (["route": "not_found", "code_class": "4xx"], 20),
                    (["route": "malformed", "code_class": "4xx"], 20),
                ]
                let metrics = try fleet.waitForMetrics("140 requests, and all of them over") {
                    $0.sum("apus_requests_total") == 140
                        && $0.sum("apus_requests_in_flight") == 0
                        && $0.sum("apus_connections_accepted_total") == 140
                }
                for (labels, count) in rows {
                    #expect(metrics.sum("apus_requests_total", labels) == count, "\(labels)")
                }
                #expect(metrics.sum("apus_upstream_requests_total", ["upstream": "up"]) == 40)
                let ok = ["upstream": "up", "result": "ok"]
                #expect(metrics.sum("apus_upstream_requests_total", ok) == 40)
                let failed = ["upstream": "demo", "result": "5xx"]
                #expect(metrics.sum("apus_upstream_requests_total", failed) == 20)
                let output = ["upstream": "up", "type": "output"]
                #expect(metrics.sum("apus_tokens_total", output) == 20 * 7)
                #expect(metrics.sum("apus_request_duration_seconds_count") == 140)
                #expect(
                    metrics.sum("apus_upstream_duration_seconds_count", ["upstream": "up"]) == 40
                )
                #expect(metrics.sum("apus_connections_accepted_total") == 140)
                #expect(metrics.sum("apus_requests_in_flight") == 0)
                #expect(metrics.sum("apus_workers", ["state": "ready"]) == 3)
                #expect(metrics.sum("apus_build_info") == 1)
                expectHistograms(metrics)
            }
        }

        /// Whether buckets grow with their bounds and end at the count.
        private func expectHistograms(_ metrics: PrometheusText) {
            for (name, type) in metrics.types where type == "histogram" {
                for count in metrics.samples("\(name)_count") {
                    let buckets = metrics.samples("\(name)_bucket", count.labels)
                        .map { (bound: $0.labels["le"] ?? "", value: $0.value) }
                        .map { (Double($0.bound == "+Inf" ? "inf" : $0.bound) ?? .nan, $0.value) }
                        .sorted { $0.0 < $1.0 }
                    #expect(buckets.last?.0 == .infinity, "\(name)")
                    #expect(buckets.last?.1 == count.value, "\(name)")
                    let values = buckets.map(\.1)
                    #expect(values == values.sorted(), "\(name)")
                    #expect(metrics.samples("\(name)_sum", count.labels).count == 1, "\(name)")
                }
            }
        }

        @Test("names from outside do not become series")
        func cardinality() throws {
            try BlackBox.withFleet { fleet in
                func junk(_ index: Int) throws {
                    _ = try fleet.chat("junk-\(index)")
                    _ = try fleet.chat("demo/junk-\(index)")
                    _ = try fleet.get("/junk/\(index)")
                    let method = HTTPRequestText.bytes("M\(index)", "/health")
                    _ = try fleet.exchange(method)
                }
                try junk(0)
                let before = try fleet.waitForMetrics("four answers") {
                    $0.sum("apus_requests_total") == 4
                }
                for index in 1...100 { try junk(index) }
                let after = try fleet.waitForMetrics("404 answers") {
                    $0.sum("apus_requests_total") == 404
                }
                #expect(after.samples.count == before.samples.count)
                #expect(!after.text.contains("junk"))
            }
        }

        @Test("many scrapes in a row agree and hold nobody up")
        func scrapes() throws {
            try BlackBox.withFleet(FleetSettings(workers: 3)) { fleet in
                for _ in 0..<9 { #expect(try fleet.get("/health").status == 200) }
                _ = try fleet.waitForMetrics("nine answers") {
                    $0.sum("apus_requests_total") == 9
                }
                let connection = try HTTPConnection(to: fleet.statusAddress)
                func scrape() throws -> Double {
                    let reply = try connection.readReply()
                    #expect(reply.value("content-type")?.hasPrefix("text/plain") == true)
                    return try PrometheusText(reply.text).sum("apus_requests_total")
                }
                for _ in 0..<40 {
                    try connection.send(HTTPRequestText.bytes("GET", "/metrics"))
                    #expect(try scrape() == 9)
                }
                // The same while a client asks between each two of them.
                var last = 9.0
                for sent in 1...40 {
                    try connection.send(HTTPRequestText.bytes("GET", "/metrics"))
                    #expect(try fleet.get("/health").status == 200)
                    let seen = try scrape()
                    #expect(seen >= last && seen <= 9 + Double(sent))
                    last = seen
                }
                _ = try fleet.waitForMetrics("all answers") {
                    $0.sum("apus_requests_total") == 49
                }
            }
        }

        @Test("the status document parses and has what an operator reads")
        func status() throws {
            let settings = FleetSettings(workers: 2)
            try BlackBox.withUpstream(try .answering(), settings) { fleet, _ in
                for _ in 0..<10 { _ = try fleet.chat("up/m") }
                _ = try fleet.chat("up/m", #""stream":true"#)
                let status = try eventually("status with 11 answers and none under way") {
                    () -> JSONValue? in
                    let status = try fleet.status()
                    let isRest =
                        status["requests"]?["total"]?.int == 11
                        && status["requests"]?["in_flight"]?.int == 0
                        && status["streams"]?["open"]?.int == 0
                        && status["listeners"]?[0]?["accepted"]?.int == 11
                    return isRest ? status : nil
                }
                let short = try fleet.statusGet("/status")
                #expect(short.value("content-type")?.hasPrefix("application/json") == true)
                #expect(try short.json()["processes"] == nil)
                #expect(status["pid"]?.int == Int(fleet.pid))
                #expect(status["state"]?.string == "running")
                #expect(status["version"]?.string?.isEmpty == false)
                #expect(status["uptime_seconds"]?.number != nil)
                #expect(status["config"]?["last_reload_ok"]?.bool == true)
                #expect(status["generation"]?.int == 1)
                #expect(status["supervisor"]?["rss"]?.int ?? 0 > 1 << 20)
                #expect(status["limits"]?["nofile"]?.int ?? 0 >= 1024)
                #expect(status["limits"]?["fds_open"]?.int ?? 0 > 5)
                #expect(status["limits"]?["somaxconn"]?.int ?? 0 > 0)
                #expect(status["drain"]?["active"]?.bool == false)
                #expect(status["reload_history"]?.array != nil)
                #expect(status["workers"]?["configured"]?.int == 2)
                #expect(status["workers"]?["ready"]?.int == 2)
                #expect(status["tokens"]?["input"]?.int == 50)
                #expect(status["tokens"]?["output"]?.int == 70)
                let listeners = try #require(status["listeners"]?.array)
                #expect(listeners.map { $0["address"]?.string } == ["\(fleet.address)"])
                for latency in ["total", "first_byte", "upstream_time"] {
                    let values = try #require(status["latency"]?[latency])
                    let numbers = ["p50_ms", "p90_ms", "p99_ms"].compactMap { values[$0]?.number }
                    #expect(numbers.count == 3 && numbers == numbers.sorted(), "\(latency)")
                    #expect(values["count"]?.int == 11, "\(latency)")
                }
                let by = try #require(status["latency"]?["by_route_and_upstream"]?.array)
                #expect(by.map { $0["route"]?.string } == ["chat_completions"])
                #expect(by[0]["upstream"]?.string == "up")
                #expect(by[0]["total"]?["p99_ms"]?.number ?? 0 > 0)
                try expectProcesses(status, fleet)
            }
        }

        private func expectProcesses(_ status: JSONValue, _ fleet: Fleet) throws {
            let processes = try #require(status["processes"]?.array)
            #expect(processes.map { $0["slot"]?.int } == [0, 1])
            for process in processes {
                #expect(process["state"]?.string == "ready")
                #expect(process["restarts"]?.int == 0)
                let pid = try #require(process["pid"]?.int)
                #expect(ProcessFacts.isRunning(Int32(pid)))
                let memory = Double(ProcessFacts.residentBytes(Int32(pid)))
                let reported = try #require(process["rss"]?.number)
                #expect(reported > memory / 2 && reported < memory * 2, "\(reported) of \(memory)")
                #expect(process["pss"]?.int ?? 0 > 0)
                #expect(process["fds"]?.int ?? 0 > 3)
                #expect(process["fd_limit"]?.int ?? 0 > process["fds"]?.int ?? .max)
                #expect(process["cpu_s"]?.number != nil)
                #expect(process["last_exit"]?.isNull == true)
            }
            let requests = processes.compactMap { $0["requests"]?.int }.reduce(0, +)
            #expect(requests == 11)
        }

        @Test("a browser gets the dashboard, a text client a list, and both the fleet as text")
        func dashboard() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let accept = WireField("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
                let browser = try HTTPConnection(to: fleet.statusAddress)
                try browser.send(HTTPRequestText.bytes("GET", "/", fields: [accept]))
                let page = try browser.readReply()
                #expect(page.status == 200)
                #expect(page.value("content-type") == "text/html; charset=utf-8")
                let policy = try #require(page.value("content-security-policy"))
                #expect(policy.hasPrefix("default-src 'none'; script-src 'sha256-"))
                #expect(page.text.hasPrefix("<!doctype html>"))
                #expect(!page.text.contains("src=\""))
                try browser.send(HTTPRequestText.bytes("HEAD", "/", fields: [accept]))
                #expect(try browser.readHead(toHead: true).status == 200)

                let list = try fleet.statusGet("/")
                #expect(list.value("content-type") == "text/plain; charset=utf-8")
                #expect(list.text.contains("/status.txt"))
                let text = try fleet.statusGet("/status.txt").text
                #expect(text.contains("fleet        R R   R ready\n"), "\(text)")
                #expect(text.contains("workers      2 of 2 ready"), "\(text)")
            }
        }

        @Test("totals never fall over a crash, the dead worker's gauges vanish, its exit is told")
        func crash() throws {
            try BlackBox.withUpstream(try .answering(), FleetSettings(workers: 2)) { fleet, _ in
                for _ in 0..<12 { _ = try fleet.chat("up/m") }
                let before = try fleet.waitForMetrics("12 answers") {
                    $0.sum("apus_requests_total") == 12
                }
                let killed = try fleet.readyWorkers()[0]
                try Syscalls.signal(process: killed, .kill)
                let after = try fleet.waitForMetrics("a restart") {
                    $0.sum("apus_worker_restarts_total") == 1
                        && $0.sum("apus_workers", ["state": "ready"]) == 2
                }
                for sample in before.samples where before.types[sample.name] == "counter" {
                    let value = after.samples(sample.name, sample.labels).first?.value
                    #expect(value ?? -1 >= sample.value, "\(sample.name) \(sample.labels)")
                }
                #expect(after.samples("apus_worker_streams").count == 2)
                let status = try fleet.status()
                let processes = try #require(status["processes"]?.array)
                #expect(!processes.contains { $0["pid"]?.int == Int(killed) })
                let exit = try #require(
                    processes.compactMap { $0["last_exit"] }.first { !$0.isNull }
                )
                #expect(exit["signal"]?.int == 9)
                #expect(exit["reason"]?.string?.isEmpty == false)
                #expect(exit["backtrace"]?.array != nil)
                #expect(try fleet.statusGet("/status.txt").text.contains("by signal 9"))
            }
        }

        @Test("the status address answers probes, refuses writes and never serves models")
        func statusPlane() throws {
            try BlackBox.withFleet { fleet in
                #expect(try fleet.statusGet("/livez").status == 200)
                #expect(try fleet.statusGet("/readyz").status == 200)
                #expect(try fleet.statusGet("/nothing").status == 404)
                #expect(try fleet.statusGet("/v1/models").status == 404)
                let post = try HTTPConnection(to: fleet.statusAddress)
                try post.send(HTTPRequestText.bytes("POST", "/status", body: []))
                #expect(try post.readReply().status == 405)
                let head = try HTTPConnection(to: fleet.statusAddress)
                try head.send(HTTPRequestText.bytes("HEAD", "/metrics"))
                #expect(try head.readHead(toHead: true).status == 200)
                let odd = try HTTPConnection(to: fleet.statusAddress)
                try odd.send("nonsense\r\n\r\n")
                #expect(try odd.readReply().status == 400)
                #expect(try fleet.statusGet("/livez").status == 200)
            }
        }
    }
}
