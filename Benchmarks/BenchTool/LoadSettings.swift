// SPDX-License-Identifier: Apache-2.0
import Bytes
import System

/// One load: what is asked, how often, and what counts as an answer.
struct LoadSettings {
    let target: TargetURL
    let connections: Int
    let seconds: Int
    let requestsMax: Int
    let newConnections: Bool
    let streams: Bool
    let expectedBytes: Int?
    let expectedText: [UInt8]
    let expectedEvents: Int?
    /// Over which time the connections start, so that timers of streams do not run in step.
    let rampNanoseconds: UInt64
    let request: [UInt8]

    /// Largest body file: the sizes of interest end far below.
    private static let bodyBytesMax = 16 << 20

    init(_ options: inout Options) throws {
        target = try TargetURL(options.text("url"))
        connections = try options.number("connections", in: 1...20_000) ?? 1
        seconds = try options.number("seconds", in: 1...600) ?? 3
        requestsMax = try options.number("requests", in: 1...100_000_000) ?? .max
        newConnections = try options.flag("new-connections")
        streams = try options.flag("stream")
        expectedBytes = try options.number("expect-bytes", in: 0...(16 << 20))
        expectedText = Array((options.text("expect-text") ?? "").utf8)
        expectedEvents = try options.number("expect-events", in: 1...1_000_000)
        let ramp = try options.number("ramp-ms", in: 0...60_000) ?? 0
        rampNanoseconds = UInt64(ramp) * 1_000_000
        let headers = options.all("header")
        var body: [UInt8]?
        if let path = options.text("body") {
            body = try Syscalls.contents(of: path, limit: Self.bodyBytesMax)
        }
        request = Self.request(target, headers, body: body, closes: newConnections)
        try options.finish()
    }

    static func request(
        _ target: TargetURL,
        _ headers: [String],
        body: [UInt8]?,
        closes: Bool
    ) -> [UInt8] {
        var head = "\(body == nil ? "GET" : "POST") \(target.path) HTTP/1.1\r\n"
        head += "Host: \(target.authority)\r\n"
        for header in headers { head += "\(header)\r\n" }
        if closes { head += "Connection: close\r\n" }
        if let body {
            head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
        }
        return Array((head + "\r\n").utf8) + (body ?? [])
    }
}

/// What went wrong, by kind.
struct LoadErrors {
    var connect = 0
    var status = 0
    /// A wrong length, a missing text, a wrong number of events, no `[DONE]`.
    var content = 0
    var cut = 0
    var malformed = 0
    /// Asked, and not answered when the time for stragglers was over.
    var unfinished = 0

    var total: Int { connect + status + content + cut + malformed + unfinished }
}
