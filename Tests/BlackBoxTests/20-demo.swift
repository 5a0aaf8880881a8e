// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("The demo upstream")
    struct Demo {
        /// The text of a streamed chat answer, its roles and its finish reasons.
        private func collect(_ reply: HTTPReply) throws -> (text: String, reasons: [String]) {
            var text = ""
            var reasons: [String] = []
            for event in try reply.events() where !event.isDone {
                let chunk = try event.json()
                #expect(chunk["object"]?.string == "chat.completion.chunk")
                guard let choice = chunk["choices"]?[0] else { continue }
                text += choice["delta"]?["content"]?.string ?? ""
                if let reason = choice["finish_reason"]?.string { reasons.append(reason) }
            }
            return (text, reasons)
        }

        @Test("a chat answer is the same streamed and whole, and the same every time")
        func chat() throws {
            try BlackBox.withFleet { fleet in
                let whole = try fleet.chat("demo/fast")
                let answer = try whole.json()
                #expect(answer["object"]?.string == "chat.completion")
                let choice = try #require(answer["choices"]?[0])
                #expect(choice["message"]?["role"]?.string == "assistant")
                let text = try #require(choice["message"]?["content"]?.string)
                #expect(text.contains("Say hello"))
                #expect(choice["finish_reason"]?.string == "stop")
                let usage = try #require(answer["usage"])
                let input = try #require(usage["prompt_tokens"]?.int)
                let output = try #require(usage["completion_tokens"]?.int)
                #expect(input > 0 && output > 0)
                #expect(usage["total_tokens"]?.int == input + output)

                let stream = try fleet.chat("demo/fast", #""stream":true"#)
                let streamed = try collect(stream)
                #expect(streamed.text == text)
                #expect(streamed.reasons == ["stop"])
                #expect(try stream.events().last?.isDone == true)
                #expect(try fleet.chat("demo/fast").text == whole.text)
                #expect(try fleet.chat("demo/fast", #""stream":true"#).text == stream.text)
            }
        }

        @Test("a stream shows usage when it is asked for")
        func usage() throws {
            try BlackBox.withFleet { fleet in
                let options = #""stream":true,"stream_options":{"include_usage":true}"#
                let events = try fleet.chat("demo/fast", options).events()
                let usage = try #require(events.dropLast().last).json()
                #expect(usage["choices"]?.array == [])
                #expect(usage["usage"]?["completion_tokens"]?.int ?? 0 > 0)
                let without = try fleet.chat("demo/fast", #""stream":true"#).text
                #expect(!without.contains("\"usage\":{"))
            }
        }

        private static let weather =
            #""tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","#
            + #""properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}}]"#

        @Test("given tools it calls one, with arguments that fit the schema")
        func tools() throws {
            try BlackBox.withFleet { fleet in
                let choice = try #require(
                    try fleet.chat("demo/fast", Self.weather).json()["choices"]?[0]
                )
                #expect(choice["finish_reason"]?.string == "tool_calls")
                let call = try #require(choice["message"]?["tool_calls"]?[0])
                #expect(call["type"]?.string == "function")
                #expect(call["id"]?.string?.isEmpty == false)
                #expect(call["function"]?["name"]?.string == "weather")
                let text = try #require(call["function"]?["arguments"]?.string)
                let arguments = try JSONValue(text)
                #expect(arguments["city"]?.string != nil)
                #expect(arguments["days"]?.int != nil)

                let stream = try fleet.chat("demo/fast", "\"stream\":true,\(Self.weather)")
                var joined = ""
                var names: [String] = []
                for event in try stream.events() where !event.isDone {
                    let delta = try event.json()["choices"]?[0]?["delta"]?["tool_calls"]?[0]
                    guard let delta else { continue }
                    #expect(delta["index"]?.int == 0)
                    joined += delta["function"]?["arguments"]?.string ?? ""
                    if let name = delta["function"]?["name"]?.string { names.append(name) }
                }
                #expect(names == ["weather"])
                #expect(joined == text)
                #expect(try collect(stream).reasons == ["tool_calls"])
            }
        }

        @Test("asked for JSON it answers with JSON, and with the schema's members")
        func json() throws {
            try BlackBox.withFleet { fleet in
                let object = #""response_format":{"type":"json_object"}"#
                let schema =
                    #""response_format":{"type":"json_schema","json_schema":{"name":"x","schema":"#
                    + #"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"array","#
                    + #""items":{"type":"string"}},"c":{"enum":["x","y"]}}}}}"#
                for (format, members) in [(object, []), (schema, ["a", "b", "c"])] {
                    let whole = try fleet.chat("demo/fast", format).json()
                    let text = try #require(whole["choices"]?[0]?["message"]?["content"]?.string)
                    let value = try #require(try JSONValue(text).object)
                    for member in members { #expect(value[member] != nil, "\(text)") }
                    let stream = try fleet.chat("demo/fast", "\"stream\":true,\(format)")
                    #expect(try collect(stream).text == text)
                }
            }
        }

        @Test("embeddings come as floats and as base64 of the same floats")
        func embeddings() throws {
            try BlackBox.withFleet { fleet in
                func embed(_ members: String) throws -> JSONValue {
                    let body = #"{"model":"demo/embed","dimensions":8,\#(members)}"#
                    let reply = try fleet.post("/v1/embeddings", body)
                    #expect(reply.status == 200, "\(reply.text)")
                    return try reply.json()
                }
                let floats = try embed(#""input":["a","b","a"]"#)
                #expect(floats["object"]?.string == "list")
                #expect(floats["usage"]?["prompt_tokens"]?.int ?? 0 > 0)
                let items = try #require(floats["data"]?.array)
                #expect(items.map { $0["index"]?.int } == [0, 1, 2])
                #expect(items.allSatisfy { $0["object"]?.string == "embedding" })
                let vectors = try items.map { item in
                    try #require(item["embedding"]?.array).compactMap(\.number)
                }
                #expect(vectors.allSatisfy { $0.count == 8 })
                #expect(vectors[0] == vectors[2] && vectors[0] != vectors[1])

                let coded = try embed(#""input":["a","b","a"],"encoding_format":"base64""#)
                for (index, item) in try #require(coded["data"]?.array).enumerated() {
                    let text = try #require(item["embedding"]?.string)
                    let decoded = try Self.floats(base64: text).map(Double.init)
                    for (one, other) in zip(decoded, vectors[index]) {
                        #expect(abs(one - other) < 1e-6)
                    }
                    #expect(decoded.count == 8)
                }
                for input in [#""a""#, "[1,2,3]", "[[1,2],[3]]"] {
                    let count = try embed("\"input\":\(input)")["data"]?.array?.count
                    #expect(count == (input.hasPrefix("[[") ? 2 : 1), "\(input)")
                }
            }
        }

        /// Little-endian 32-bit floats, decoded by a decoder of the test's own.
        private static func floats(base64: String) throws -> [Float] {
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            let values = Dictionary(
                uniqueKeysWithValues: alphabet.enumerated().map { ($0.element, UInt32($0.offset)) }
            )
            var bytes: [UInt8] = []
            var group: UInt32 = 0
            var bits = 0
            for character in base64 where character != "=" {
                guard let value = values[character] else { throw TestFailure("base64: \(base64)") }
                group = group << 6 | value
                bits += 6
                if bits >= 8 {
                    bits -= 8
                    bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
                }
            }
            guard base64.utf8.count % 4 == 0, bytes.count % 4 == 0 else {
                throw TestFailure("base64 of \(bytes.count) bytes")
            }
            return stride(from: 0, to: bytes.count, by: 4).map { start in
                let pattern = (0..<4).reduce(UInt32(0)) {
                    $0 | UInt32(bytes[start + $1]) << ($1 * 8)
                }
                return Float(bitPattern: pattern)
            }
        }

        @Test("legacy completions stream and answer")
        func completions() throws {
            try BlackBox.withFleet { fleet in
                let whole = try fleet.post(
                    "/v1/completions",
                    #"{"model":"demo/fast","prompt":"Hi"}"#
                )
                let answer = try whole.json()
                #expect(answer["object"]?.string == "text_completion")
                let text = try #require(answer["choices"]?[0]?["text"]?.string)
                #expect(text.contains("Hi"))
                let stream = try fleet.post(
                    "/v1/completions",
                    #"{"model":"demo/fast","prompt":"Hi","stream":true}"#
                )
                let pieces = try stream.events().filter { !$0.isDone }.compactMap {
                    try $0.json()["choices"]?[0]?["text"]?.string
                }
                #expect(pieces.joined() == text)
            }
        }

        @Test("its error models fail the way their names say")
        func errors() throws {
            try BlackBox.withFleet { fleet in
                let rows = [
                    ("400", 400), ("401", 502), ("404", 404), ("429", 429), ("500", 500),
                    ("503", 503),
                ]
                for (name, status) in rows {
                    for members in ["", #""stream":true"#] {
                        let reply = try fleet.chat("demo/\(name)", members)
                        try expectError(reply, status, "\(name) \(members)")
                        if status == 429 { #expect(reply.value("retry-after") != nil) }
                    }
                }
                try expectError(
                    try fleet.chat("demo/no-such-behaviour"),
                    404,
                    code: "model_not_found"
                )
            }
        }

        @Test(
            "cut, stall and error end in an error event without [DONE]",
            arguments: [
                "cut", "stall", "error",
            ]
        )
        func broken(_ name: String) throws {
            let settings = FleetSettings(#""timeouts": { "idle": "400ms" }"#)
            try BlackBox.withFleet(settings) { fleet in
                let events = try fleet.chat("demo/\(name)", #""stream":true"#).events()
                #expect(events.count >= 2)
                #expect(try events.first?.json()["choices"] != nil)
                #expect(try events.last?.json()["error"]?["message"]?.string?.isEmpty == false)
                #expect(!events.contains { $0.isDone })
                let whole = try fleet.chat("demo/\(name)")
                #expect(whole.status >= 500)
                _ = try whole.error()
            }
        }

        @Test("hang is given up after the header timeout")
        func hang() throws {
            let settings = FleetSettings(#""timeouts": { "headers": "300ms" }"#)
            try BlackBox.withFleet(settings) { fleet in
                try expectError(try fleet.chat("demo/hang"), 504)
            }
        }

        @Test("slow lets its first token wait and long has a thousand")
        func pace() throws {
            try BlackBox.withFleet { fleet in
                let long = try fleet.chat("demo/long", #""stream":true"#)
                #expect(try long.events().count > 1_000)
                let connection = try fleet.connect()
                let body = Fleet.chat("demo/slow", #""stream":true"#)
                let before = Syscalls.monotonicNanoseconds()
                try connection.send(HTTPRequestText.post("/v1/chat/completions", body))
                #expect(try connection.readHead().status == 200)
                _ = try connection.nextEvent()
                #expect(Syscalls.monotonicNanoseconds() - before > 800_000_000)
                connection.close()
            }
        }

        @Test("the model list names its behaviours")
        func listed() throws {
            try BlackBox.withFleet { fleet in
                let data = try #require(try fleet.get("/v1/models").json()["data"]?.array)
                let ids = Set(data.compactMap { $0["id"]?.string })
                #expect(ids.isSuperset(of: ["demo/slow", "demo/429", "demo/cut", "demo/fast"]))
            }
        }
    }
}
