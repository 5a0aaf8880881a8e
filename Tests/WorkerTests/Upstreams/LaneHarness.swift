// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Loop
import System

@testable import Worker

/// Keeps what an upstream call brings.
final class CollectingSink: UpstreamSink {
    private(set) var status = 0
    private(set) var heads = 0
    private(set) var fields: [String] = []
    private(set) var body: [UInt8] = []
    private(set) var dataCalls = 0
    private(set) var readsDone = 0
    private(set) var ends = 0
    private(set) var failure: UpstreamFailure?
    var onHead: () -> Void = {}
    var onData: () -> Void = {}
    var onReadDone: () -> Void = {}
    var onEnd: () -> Void = {}

    var isOver: Bool { ends > 0 }
    var isComplete: Bool { ends == 1 && failure == nil }
    var text: String { String(decoding: body, as: UTF8.self) }
    /// Everything that may be compared between two ways to deliver one response.
    var calls: Int { heads + dataCalls + readsDone + ends }

    override func upstreamHead(_ head: ResponseHead, in bytes: Span<UInt8>) {
        heads += 1
        status = head.status
        fields = head.fields.map { field in
            let name = String(copying: bytes.extracting(field.name))
            return "\(name): \(String(copying: bytes.extracting(field.value)))"
        }
        onHead()
    }

    override func upstreamData(_ bytes: Span<UInt8>) {
        dataCalls += 1
        for index in bytes.indices { body.append(bytes[index]) }
        onData()
    }

    override func upstreamReadDone() {
        readsDone += 1
        onReadDone()
    }

    override func upstreamEnded(_ result: UpstreamResult) {
        ends += 1
        if case .failed(let failure) = result { self.failure = failure }
        onEnd()
    }
}

/// A wait that took too long.
struct TooLong: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited too long for: \(what)" }
}

/// A lane with upstreams, and what drives them.
final class LaneHarness {
    let loop: EventLoop
    let upstreams: Upstreams

    init(_ settings: [UpstreamSettings], loop: EventLoop) {
        self.loop = loop
        upstreams = Upstreams(settings: settings, loop: loop)
    }

    /// A lane to one scripted server.
    convenience init(
        to server: ScriptedServer,
        adjust: (inout UpstreamSettings) -> Void = { _ in }
    ) {
        var settings = UpstreamSettings(
            name: "test",
            scheme: .http,
            host: "127.0.0.1",
            port: server.port
        )
        adjust(&settings)
        self.init([settings], loop: server.loop)
    }

    @discardableResult
    func begin(
        _ sink: UpstreamSink,
        method: HTTPMethod = .get,
        path: String = "/",
        body: [BodyPiece] = [],
        timeouts: UpstreamTimeouts = UpstreamTimeouts(),
        upstream: Int = 0
    ) -> UpstreamCall {
        let head = ByteBuffer("\(method.name) \(path) HTTP/1.1\r\nHost: test\r\n")
        let length = body.reduce(0) { $0 + $1.range.count }
        if length > 0 { head.append("Content-Length: \(length)\r\n") }
        head.append("\r\n")
        return upstreams.begin(
            upstream: upstream,
            UpstreamRequest(method: method, head: head, body: body, timeouts: timeouts),
            sink
        )
    }

    /// Sends a request and waits for its end.
    func exchange(
        method: HTTPMethod = .get,
        path: String = "/",
        body: [BodyPiece] = [],
        timeouts: UpstreamTimeouts = UpstreamTimeouts()
    ) throws -> CollectingSink {
        let sink = CollectingSink()
        begin(sink, method: method, path: path, body: body, timeouts: timeouts)
        try wait("the end of the call") { sink.isOver }
        return sink
    }

    func wait(
        _ what: String,
        milliseconds: UInt64 = 10_000,
        until isDone: () -> Bool
    ) throws {
        try loop.wait(what, milliseconds: milliseconds, until: isDone)
    }

    /// Turns the loop for a while.
    func turn(milliseconds: UInt64) throws {
        let end = Syscalls.monotonicNanoseconds() + milliseconds * 1_000_000
        while Syscalls.monotonicNanoseconds() < end { try loop.turn(waitMax: 2) }
        // For what became ready while this process was off the CPU.
        try loop.turn(waitMax: 0)
    }

    /// Turns the loop a number of times.
    func turn(times: Int) throws {
        for _ in 0..<times { try loop.turn(waitMax: 1) }
    }
}

extension EventLoop {
    /// Turns until `isDone`, with a deadline.
    func wait(_ what: String, milliseconds: UInt64 = 10_000, until isDone: () -> Bool) throws {
        let end = Syscalls.monotonicNanoseconds() + milliseconds * 1_000_000
        while !isDone() {
            if Syscalls.monotonicNanoseconds() > end { throw TooLong(what: what) }
            try turn(waitMax: 20)
        }
    }
}

extension UpstreamTimeouts {
    /// Timeouts in milliseconds; 0 leaves the default.
    init(connect: UInt64 = 0, headers: UInt64 = 0, idle: UInt64 = 0, total: UInt64 = 0) {
        self.init()
        if connect > 0 { self.connect = connect * 1_000_000 }
        if headers > 0 { self.headers = headers * 1_000_000 }
        if idle > 0 { self.idle = idle * 1_000_000 }
        if total > 0 { self.total = total * 1_000_000 }
    }
}
