// SPDX-License-Identifier: Apache-2.0
import Bytes
import System

/// One connection of a scripted upstream, used by its thread alone.
final class UpstreamPeer {
    let descriptor: Int32
    private let stop: Int32
    private let incoming = ByteBuffer()
    /// When the peer was first seen to be gone.
    private(set) var leftAt: UInt64?
    private(set) var isStopped = false

    /// A request that no client should send.
    struct RequestProblem: Error {
        let text: String
    }

    struct RequestHead {
        let method: String
        let target: String
        let fields: [WireField]
    }

    init(descriptor: Int32, stop: Int32) {
        self.descriptor = descriptor
        self.stop = stop
    }

    // MARK: Reading

    /// The next request head, nil when the peer left between requests or the test ended.
    func readHead() throws -> RequestHead? {
        var lines: [String] = []
        while true {
            guard let line = try readLine() else { return nil }
            if line.isEmpty { break }
            lines.append(line)
        }
        let parts = lines[0].split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2] == "HTTP/1.1" else {
            throw RequestProblem(text: "request line: \(lines[0])")
        }
        let fields = try lines.dropFirst().map { line in
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
                throw RequestProblem(text: "header line: \(line)")
            }
            let value = line[line.index(after: colon)...]
            return WireField(String(line[..<colon]), String(value.trimmedBlanks))
        }
        if fields.values("host").count != 1 {
            throw RequestProblem(text: "not exactly one host: \(fields)")
        }
        return RequestHead(method: String(parts[0]), target: String(parts[1]), fields: fields)
    }

    /// The body, nil when the peer left within it or the test ended.
    func readBody(of head: RequestHead) throws -> [UInt8]? {
        let lengths = head.fields.values("content-length")
        let codings = head.fields.values("transfer-encoding")
        if lengths.count + codings.count > 1 {
            throw RequestProblem(text: "unclear framing: \(head.fields)")
        }
        if let length = lengths.first {
            guard let count = Int(length), count >= 0 else {
                throw RequestProblem(text: "content-length: \(length)")
            }
            return try read(count)
        }
        guard let coding = codings.first else { return [] }
        guard coding == "chunked" else {
            throw RequestProblem(text: "transfer-encoding: \(coding)")
        }
        var body: [UInt8] = []
        while true {
            guard let line = try readLine() else { return nil }
            guard let size = Int(line, radix: 16), size >= 0 else {
                throw RequestProblem(text: "chunk size: \(line)")
            }
            guard let piece = try read(size) else { return nil }
            body += piece
            guard let end = try readLine() else { return nil }
            if size == 0, end.isEmpty { return body }
            if !end.isEmpty { throw RequestProblem(text: "chunk or trailer end: \(end)") }
        }
    }

    private func read(_ count: Int) throws -> [UInt8]? {
        while incoming.count < count {
            guard receive() else { return nil }
        }
        let bytes = Array(incoming.array.prefix(count))
        incoming.consume(count)
        return bytes
    }

    private func readLine() throws -> String? {
        var searched = 0
        while true {
            while searched < incoming.count {
                if incoming[searched] == 0x0A {
                    guard searched > 0, incoming[searched - 1] == 0x0D else {
                        throw RequestProblem(text: "a bare line feed")
                    }
                    let line = Array(incoming.array.prefix(searched - 1))
                    incoming.consume(searched + 1)
                    return String(decoding: line, as: UTF8.self)
                }
                searched += 1
            }
            // A head that a leaving peer cut short is not the product's fault to us: it may
            // cancel at any byte.
            guard receive() else { return nil }
        }
    }

    /// Waits for bytes.
    ///
    /// False when there will be none.
    private func receive() -> Bool {
        while true {
            switch Syscalls.receive(descriptor, into: incoming, minimum: 65_536) {
            case .bytes: return true
            case .endOfStream, .failed:
                noteLeft()
                return false
            case .wouldBlock:
                let events = pollDescriptors(
                    [(descriptor, .readable), (stop, .readable)],
                    until: .after(.seconds(600))
                )
                if !events[1].isEmpty {
                    isStopped = true
                    return false
                }
            }
        }
    }

    // MARK: Writing and waiting

    /// Writes `bytes` over and over and reports each piece the kernel took.
    func write(_ bytes: [UInt8], times: Int, taken: (Int) -> Void) {
        for _ in 0..<times {
            let outgoing = ByteBuffer(bytes)
            while !outgoing.isEmpty {
                switch Syscalls.send(descriptor, from: outgoing) {
                case .bytes(let count): taken(count)
                case .failed:
                    noteLeft()
                    return
                case .wouldBlock:
                    wait(until: .after(.seconds(600)), events: .writable)
                    if leftAt != nil || isStopped { return }
                }
            }
        }
    }

    /// Waits until the deadline, the opening of `gate`, the leaving of the peer or the stop.
    func wait(until deadline: Deadline, gate: Int32? = nil) {
        wait(until: deadline, events: [], gate: gate)
    }

    private func wait(until deadline: Deadline, events: PollEvents, gate: Int32? = nil) {
        let result = pollDescriptors(
            [
                (descriptor, events.union(.peerEnded)), (stop, .readable),
                (gate ?? -1, .readable),
            ],
            until: deadline
        )
        if !result[1].isEmpty { isStopped = true }
        if !result[0].isDisjoint(with: .gone) { noteLeft() }
    }

    private func noteLeft() {
        if leftAt == nil { leftAt = Syscalls.monotonicNanoseconds() }
    }
}
