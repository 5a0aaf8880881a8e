// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Control
import Log
import Loop
import Metrics
import Scoreboard
import Support
import System

@testable import Worker

/// A whole worker in the test's process: its supervisor, its log and its clients are ends of pairs
/// that the test holds.
final class WorkerHarness {
    static let demo =
        #"{"upstreams": {"demo": {"kind": "demo"}}, "retries": {"tries_per_target": 1}}"#

    let loop: EventLoop
    let worker: Worker
    /// The supervisor's end of the control channel.
    private(set) var supervisor: ControlChannel
    /// The page that the supervisor sees.
    let board: Scoreboard
    private let logPipe: OwnedFD
    private let logEnd: OwnedFD
    private let logText = ByteBuffer()
    private let metricsPipe: OwnedFD
    private var handed: UInt32 = 0
    private(set) var reports: [ConnectionReport] = []
    private(set) var drainedCount = 0

    init(_ config: String = demo, on loop: EventLoop? = nil) throws {
        let loop = try loop ?? EventLoop()
        self.loop = loop
        let parsed = try ConfigParser.parse(
            Array(config.utf8),
            file: "test.json",
            surroundings: ConfigSurroundings(
                directory: "",
                resolve: { .success($0.name) },
                fileProblem: { _ in nil }
            )
        )
        let control = try Syscalls.pairs(seqpacket: true).split { ours, theirs in
            (ours: ControlChannel(ours), theirs: ControlChannel(theirs))
        }
        supervisor = control.ours
        board = try Scoreboard()
        let log = try Syscalls.pipe().numbers()
        let metrics = try Syscalls.pipe().numbers()
        logPipe = OwnedFD(owning: log.first)
        logEnd = OwnedFD(owning: log.second)
        metricsPipe = OwnedFD(owning: metrics.first)
        guard
            let options = WorkerOptions([
                "apus-worker", "--slot", "0", "--generation", "1", "--supervisor", "1",
            ])
        else { throw TestFailure("the options are not understood") }
        worker = Worker(
            options: options,
            config: parsed,
            loop: loop,
            channel: control.theirs,
            metricsPipe: OwnedFD(owning: metrics.second),
            scoreboard: try Scoreboard(mapping: try board.duplicateDescriptor()),
            log: LogSink(descriptor: log.second, level: .info, format: .json, slot: 0),
            seed: 1
        )
        try worker.start()
    }

    /// A demo worker beside an `openai` upstream called `up` that plays a script.
    static func scripted(
        _ more: String = "",
        script: @escaping (Int) -> [ServerStep]
    ) throws -> (harness: WorkerHarness, server: ScriptedServer) {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop, script: script)
        let config = """
            {"upstreams": {
                "demo": {"kind": "demo"},
                "up": {"kind": "openai", "base_url": "http://127.0.0.1:\(server.port)/v1",
                    "api_key": "${env:KEY}"}
            }, "retries": {"tries_per_target": 1}\(more.isEmpty ? "" : ", \(more)")}
            """
        return (try WorkerHarness(config, on: loop), server)
    }

    /// A new client; the worker has its connection already.
    func client(sendBuffer: Int32? = nil, isKept: Bool = true) throws -> TestClient {
        let pair = try Syscalls.pairs(seqpacket: false).numbers()
        if let sendBuffer { Syscalls.setSendBuffer(pair.second, bytes: sendBuffer) }
        hand(OwnedFD(owning: pair.second), isKept: isKept)
        return TestClient(OwnedFD(owning: pair.first), loop: loop)
    }

    /// A new client over TCP, and the supervisor's copy of its connection.
    func networkClient(
        isKept: Bool = true,
        receiveBuffer: Int32? = nil
    ) throws -> (client: TestClient, copy: KeptCopy) {
        let any = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
        let listener = try Syscalls.streamSocket(for: any)
        try Syscalls.bind(listener.raw, any)
        try Syscalls.listen(listener.raw, backlog: 1)
        let client = try Syscalls.streamSocket(for: any)
        if let receiveBuffer { Syscalls.setReceiveBuffer(client.raw, bytes: receiveBuffer) }
        do throws(Errno) {
            try Syscalls.connect(client.raw, try Syscalls.localAddress(listener.raw))
        } catch {
            guard error == .inProgress else { throw error }
        }
        guard isReadable(listener.raw) else { throw TestFailure("no connection") }
        let accepted = try Syscalls.accept(listener.raw)
        if receiveBuffer != nil { Syscalls.setSendBuffer(accepted.raw, bytes: 4096) }
        let copy = KeptCopy(try accepted.duplicate())
        hand(accepted, isKept: isKept)
        return (TestClient(client, loop: loop), copy)
    }

    /// Hands connections over through the control channel, as the supervisor does.
    func send(_ fds: [Int32]) {
        let connections = fds.map { _ in
            handed += 1
            board.offer(Int(handed))
            return HandedConnection(id: handed, record: UInt16(handed))
        }
        let sent = supervisor.send(.connections(connections), descriptors: fds)
        precondition(sent == .sent, "the control channel takes no connections: \(sent)")
    }

    /// Ends the supervisor's side of the control channel.
    func supervisorDies() throws {
        let pair = try Syscalls.pairs(seqpacket: true)
        supervisor = ControlChannel(pair.takeFirst())
    }

    /// Offers a connection to the worker; its record has the number of its id.
    func hand(_ fd: consuming OwnedFD, isKept: Bool = true, isRevoked: Bool = false) {
        handed += 1
        let connection = HandedConnection(id: handed, isKept: isKept, record: UInt16(handed))
        board.offer(
            Int(handed),
            consumed: UInt64(Syscalls.bytesConsumed(fd.raw) ?? 0),
            written: UInt64(Syscalls.bytesWritten(fd.raw) ?? 0)
        )
        if isRevoked { _ = board.revoke(Int(handed)) }
        worker.accept(fd, connection)
    }

    /// Orders a drain with one deadline.
    func drain(_ milliseconds: UInt32, spread: UInt16 = 0, returnsIdle: Bool = false) {
        worker.drain(
            DrainOrder(
                softMilliseconds: milliseconds,
                hardMilliseconds: milliseconds,
                spreadMilliseconds: spread,
                returnsIdle: returnsIdle
            )
        )
    }

    /// The connection that was made last.
    var lastID: UInt32 { handed }

    /// The record of the connection that was made last.
    var record: ConnectionRecord { board.record(Int(handed)) }

    /// What was reported of one connection.
    func events(of id: UInt32) -> [ConnectionReport.Event] {
        readReports()
        return reports.filter { $0.id == id }.map(\.event)
    }

    /// Turns the loop a number of times without waiting long.
    func turn(_ times: Int = 3) throws {
        for _ in 0..<times { try loop.turn(waitMax: 1) }
    }

    /// Turns the loop for a while.
    func turn(milliseconds: UInt64) throws {
        let end = Syscalls.monotonicNanoseconds() + milliseconds * 1_000_000
        while Syscalls.monotonicNanoseconds() < end { try loop.turn(waitMax: 2) }
        // For what became ready while this process was off the CPU.
        try loop.turn(waitMax: 0)
    }

    /// What waits for a client that does not read, once it has so much and grows no more.
    func waitingBytes(atLeast count: Int) throws -> Int {
        var last = -1
        var same = 0
        try loop.wait("the end of growth") {
            let now = worker.connections.values.map(\.outputBytes).max() ?? 0
            same = now == last ? same + 1 : 0
            last = now
            return now > count && same == 20
        }
        return last
    }

    /// Takes what the worker has told its supervisor.
    func readReports() {
        while case .message(let message, _) = supervisor.receive() {
            switch message {
            case .report(let some): reports += some
            case .drained: drainedCount += 1
            case .ready, .connections, .drain, .recount: break
            }
        }
    }

    /// The access-log lines so far.
    func accessLines() throws -> [JSONValue] {
        try logLines().map { try JSONValue($0) }.filter { $0["msg"]?.string == "request" }
    }

    /// All lines of the log so far.
    func logLines() throws -> [String] {
        repeat {
            worker.log.flush()
            while case .bytes = Syscalls.read(logPipe.raw, into: logText, minimum: 64 << 10) {}
        } while worker.log.hasPending
        return logText.text.split(separator: "\n").map { String($0) }
    }

    /// What the metrics pipe brings from here on, for somebody who knows nothing else.
    func reported() throws -> MetricTotals {
        // Longer than metrics wait before they are sent.
        try turn(milliseconds: 130)
        let id = WorkerID(slot: 0, generation: 1)
        var metrics = FleetMetrics()
        metrics.workerStarted(id)
        let buffer = ByteBuffer()
        while case .bytes = Syscalls.read(metricsPipe.raw, into: buffer, minimum: 64 << 10) {}
        metrics.received(buffer, from: id)
        guard let totals = metrics.worker(id) else { throw TestFailure("no such worker") }
        return totals
    }

    /// What the worker has counted, its gauges brought up to date.
    func totals() throws -> MetricTotals {
        let discarded = ByteBuffer()
        // Longer than metrics wait before they are sent.
        let end = Syscalls.monotonicNanoseconds() + 130_000_000
        while Syscalls.monotonicNanoseconds() < end { try loop.turn(waitMax: 5) }
        // For a timer that is due since this process was off the CPU.
        try loop.turn(waitMax: 0)
        while case .bytes = Syscalls.read(metricsPipe.raw, into: discarded, minimum: 64 << 10) {}
        return worker.metrics.totals
    }
}

/// The supervisor's copy of a connection.
final class KeptCopy {
    private var fd: OwnedFD?
    let raw: Int32

    init(_ fd: consuming OwnedFD) {
        raw = fd.raw
        self.fd = consume fd
    }

    func close() { fd = nil }

    func duplicate() throws -> OwnedFD {
        guard let copy = try fd?.duplicate() else { throw TestFailure("the copy is closed") }
        return copy
    }

    /// The descriptor, for another worker.
    func take() throws -> OwnedFD {
        let copy = try duplicate()
        fd = nil
        return copy
    }
}

extension Scoreboard {
    /// The descriptor as another process would have it.
    func duplicateDescriptor() throws -> OwnedFD {
        let borrowed = OwnedFD(owning: descriptor)
        let copy = try borrowed.duplicate()
        _ = borrowed.release()
        return copy
    }
}

extension DescriptorPair {
    /// Both ends by number, for the caller to close.
    consuming func numbers() -> (first: Int32, second: Int32) {
        split { first, second in (first: first.release(), second: second.release()) }
    }
}

/// A client of the worker, without a loop of its own.
final class TestClient {
    private var fd: OwnedFD?
    private let raw: Int32
    private let loop: EventLoop
    let input = ByteBuffer()
    /// The worker has ended its side.
    private(set) var sawEnd = false
    /// The connection broke.
    private(set) var sawReset = false

    init(_ fd: consuming OwnedFD, loop: EventLoop) {
        raw = fd.raw
        self.fd = consume fd
        self.loop = loop
    }

    var isOver: Bool { sawEnd || sawReset }
    /// Everything received and not taken.
    var text: String { input.text }

    /// Sends text, which must fit into the socket.
    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends bytes, turning the loop while the socket is full.
    func send(_ bytes: [UInt8]) throws {
        let output = ByteBuffer(bytes)
        try loop.wait("room to send") {
            _ = Syscalls.send(raw, from: output)
            return output.isEmpty
        }
    }

    /// Sends as much as fits now.
    func sendSome(_ output: ByteBuffer) { _ = Syscalls.send(raw, from: output) }

    func endSending() { Syscalls.shutdown(raw, .write) }

    func close() { fd = nil }

    /// Reads what is there.
    func read() {
        guard fd != nil, !isOver else { return }
        while true {
            switch Syscalls.receive(raw, into: input, minimum: 64 << 10) {
            case .bytes: continue
            case .wouldBlock: return
            case .endOfStream:
                sawEnd = true
                return
            case .failed:
                sawReset = true
                return
            }
        }
    }

    /// Waits for the next whole answer.
    func answer(toHead: Bool = false) throws -> TestAnswer {
        var answer: TestAnswer?
        try loop.wait("an answer after '\(input.text.suffix(300))'") {
            read()
            answer = TestAnswer.take(from: input, isHead: toHead, atEnd: isOver)
            return answer != nil
        }
        guard let answer else { throw TestFailure("no answer") }
        return answer
    }

    /// Waits for the worker to end the connection.
    func waitForEnd() throws {
        try loop.wait("the end of the connection") {
            read()
            return isOver
        }
    }

    /// Waits until something that was received contains `text`.
    func wait(for text: String) throws {
        try loop.wait("'\(text)'") {
            read()
            return input.text.contains(text)
        }
    }
}

/// One answer, taken apart.
struct TestAnswer {
    var status = 0
    /// Names in lower case.
    var fields: [(name: String, value: String)] = []
    var body = ""
    /// Whether the body came to its end as its framing says.
    var isWhole = true

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    var json: JSONValue {
        get throws { try JSONValue(body) }
    }

    /// The `data:` of each event.
    var events: [String] {
        body.split(separator: "\n").compactMap { line in
            line.hasPrefix("data: ") ? String(line.dropFirst(6)) : nil
        }
    }

    /// Takes one answer off the front of `input`; nil when it is not there whole.
    static func take(from input: ByteBuffer, isHead: Bool, atEnd: Bool) -> TestAnswer? {
        let bytes = input.array
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        var answer = TestAnswer()
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        for (index, line) in head.split(separator: "\r\n").enumerated() {
            if index == 0 {
                answer.status = Int(line.split(separator: " ")[1]) ?? 0
            } else if let colon = line.firstIndex(of: ":") {
                answer.fields.append(
                    (line[..<colon].lowercased(), String(line[colon...].dropFirst(2)))
                )
            }
        }
        var used = end.upperBound
        let rest = bytes[used...]
        if isHead || answer.status == 204 || answer.status < 200 {
            // No body.
        } else if let length = answer["content-length"].flatMap({ Int($0) }) {
            guard rest.count >= length else { return nil }
            answer.body = String(decoding: rest.prefix(length), as: UTF8.self)
            used += length
        } else if answer["transfer-encoding"] == "chunked" {
            guard let count = answer.takeChunks(rest) else {
                guard atEnd else { return nil }
                answer.isWhole = false
                input.consume(input.count)
                return answer
            }
            used += count
        } else {
            guard atEnd else { return nil }
            answer.body = String(decoding: rest, as: UTF8.self)
            used = bytes.count
        }
        input.consume(used)
        return answer
    }

    /// Decodes a chunked body; its length, or nil when it is not whole.
    private mutating func takeChunks(_ bytes: ArraySlice<UInt8>) -> Int? {
        var place = bytes.startIndex
        var content: [UInt8] = []
        while true {
            guard let line = bytes[place...].firstRange(of: Array("\r\n".utf8)) else { break }
            let size = String(decoding: bytes[place..<line.lowerBound], as: UTF8.self)
            guard let length = Int(size, radix: 16),
                line.upperBound + length + 2 <= bytes.endIndex
            else { break }
            content += bytes[line.upperBound..<(line.upperBound + length)]
            place = line.upperBound + length + 2
            if length == 0 {
                body = String(decoding: content, as: UTF8.self)
                return place - bytes.startIndex
            }
        }
        body = String(decoding: content, as: UTF8.self)
        return nil
    }
}

/// Requests as clients write them.
enum TestRequest {
    static func post(_ path: String, _ body: String, _ fields: String = "") -> String {
        "POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n"
            + body
    }

    static func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
    }

    /// A chat request of one message.
    static func chat(
        _ model: String,
        stream: Bool = false,
        more: String = "",
        _ fields: String = ""
    ) -> String {
        let body =
            #"{"model":"\#(model)","messages":[{"role":"user","content":"hello"}]"#
            + (stream ? #","stream":true"# : "") + more + "}"
        return post("/v1/chat/completions", body, fields)
    }
}

/// Answers as upstreams write them.
enum TestUpstream {
    static let completion =
        #"{"id":"c1","object":"chat.completion","choices":[],"#
        + #""usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#

    static func json(_ status: Int, _ body: String, _ fields: String = "") -> ServerStep {
        .send(
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
        )
    }

    static let streamHead =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    static func chunk(_ text: String) -> String {
        "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
    }

    static func event(_ content: String) -> String {
        #"data: {"choices":[{"index":0,"delta":{"content":"\#(content)"},"#
            + #""finish_reason":null}]}"# + "\n\n"
    }

    static let finish =
        #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"# + "\n\n"
    static let usage =
        #"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"#
        + #""total_tokens":5}}"# + "\n\n"
    static let done = "data: [DONE]\n\n"
    static let end = "0\r\n\r\n"
}
