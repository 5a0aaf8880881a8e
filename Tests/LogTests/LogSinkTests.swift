// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
import System
import Testing

@testable import Log

@Suite struct LogSinkTests {
    /// Everything that can be read now.
    private func drain(_ fd: Int32) -> [UInt8] {
        let buffer = ByteBuffer()
        while case .bytes = Syscalls.read(fd, into: buffer, minimum: 65_536) {}
        return buffer.array
    }

    /// A pipe whose write end blocks, as an inherited one does.
    private func blockingPipe() throws -> DescriptorPair {
        var ends: [Int32] = [-1, -1]
        // SAFETY: the array has the two places that pipe(2) fills.
        let result = unsafe ends.withUnsafeMutableBufferPointer { unsafe pipe($0.baseAddress) }
        try #require(result == 0)
        try #require(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        return DescriptorPair(
            first: OwnedFD(owning: ends[0]),
            second: OwnedFD(owning: ends[1])
        )
    }

    private func isWholeLines(_ bytes: [UInt8]) -> Bool {
        bytes.last == UInt8(ascii: "\n")
            && bytes.split(separator: UInt8(ascii: "\n")).allSatisfy {
                $0.first == UInt8(ascii: "{") && $0.last == UInt8(ascii: "}")
            }
    }

    @Test("Lines gather until the flush and arrive in order")
    func order() throws {
        let pipe = try Syscalls.pipe()
        let sink = LogSink(descriptor: pipe.second.raw, level: .info, slot: 2)
        sink.log(.info, "first")
        sink.log(.debug, "hidden")
        sink.log(.error, text: "second") { $0.field("n", 2) }
        #expect(sink.hasPending)
        #expect(drain(pipe.first.raw).isEmpty)
        sink.flush()
        #expect(!sink.hasPending)
        let text = String(decoding: drain(pipe.first.raw), as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].contains(#""msg":"first","pid":"#))
        #expect(lines[1].contains(#""level":"error","msg":"second""#))
        #expect(lines[1].hasSuffix(#""slot":2,"n":2}"#))
        #expect(sink.format == .json)
    }

    @Test("Many lines are written before the end of the turn")
    func flushesByItself() throws {
        let pipe = try Syscalls.pipe()
        let sink = LogSink(descriptor: pipe.second.raw, level: .info)
        for _ in 0..<400 { sink.log(.info, "a line of about one hundred bytes") }
        #expect(drain(pipe.first.raw).count > 20_000)
        #expect(sink.linesDropped == 0)
    }

    @Test(
        "A full pipe never blocks; whole lines are dropped, counted and reported",
        .timeLimit(.minutes(1)),
        arguments: [true, false]
    )
    func fullPipe(canReopen: Bool) throws {
        let pipe = try blockingPipe()
        let sink = LogSink(descriptor: pipe.second.raw, level: .info, format: .json, slot: nil) {
            descriptor throws(Errno) in
            guard canReopen else { throw .accessDenied }
            return try Syscalls.reopenNonBlocking(descriptor)
        }
        let written = 5000
        for index in 0..<written {
            sink.log(.info, "a line of about one hundred bytes") { $0.field("index", index) }
            if index % 50 == 0 { sink.flush() }
        }
        #expect(sink.linesDropped > 0)
        #expect(sink.hasPending)
        let dropped = sink.linesDropped
        var received: [UInt8] = []
        while sink.hasPending {
            received += drain(pipe.first.raw)
            sink.flush()
        }
        sink.flush()
        received += drain(pipe.first.raw)
        #expect(isWholeLines(received))
        let lines = received.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == written - Int(dropped) + 1)
        let last = String(decoding: lines.last ?? [], as: UTF8.self)
        #expect(last.contains("log lines were dropped"))
        #expect(last.hasSuffix("\"count\":\(dropped)}"))
        #expect(sink.linesDropped == dropped)
    }

    @Test("Two sinks on one pipe never mix their lines")
    func sharedPipe() throws {
        let pipe = try Syscalls.pipe()
        let sinks = [1, 2].map { LogSink(descriptor: pipe.second.raw, level: .info, slot: $0) }
        var received: [UInt8] = []
        for index in 0..<600 {
            for sink in sinks {
                for _ in 0..<7 { sink.log(.info, "busy") { $0.field("index", index) } }
                sink.flush()
            }
            if index % 5 == 0 { received += drain(pipe.first.raw) }
        }
        while sinks.contains(where: \.hasPending) {
            received += drain(pipe.first.raw)
            for sink in sinks { sink.flush() }
        }
        received += drain(pipe.first.raw)
        #expect(isWholeLines(received))
        let dropped = sinks.reduce(0) { $0 + Int($1.linesDropped) }
        let notices = sinks.count { $0.linesDropped > 0 }
        let lines = received.split(separator: UInt8(ascii: "\n")).count
        #expect(lines >= 600 * 14 - dropped + notices)
    }

    @Test("A closed pipe ends the output and not the process")
    func closedPipe() async {
        await #expect(processExitsWith: .success) {
            Syscalls.ignoreBrokenPipes()
            let pipe = try Syscalls.pipe()
            let sink = LogSink(descriptor: pipe.second.raw, level: .info)
            pipe.split { first, second in
                first.close()
                for _ in 0..<3 { sink.log(.info, "lost") }
                sink.flush()
                #expect(!sink.hasPending)
                #expect(sink.linesDropped == 3)
                sink.log(.info, "lost too")
                sink.flush()
                sink.flush()
                #expect(sink.linesDropped == 4)
                second.close()
            }
        }
    }

    @Test("A full socket never blocks and keeps lines whole")
    func fullSocket() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        let sink = LogSink(descriptor: pair.first.raw, level: .info)
        for index in 0..<20_000 {
            sink.log(.info, "a line of about one hundred bytes") { $0.field("index", index) }
        }
        #expect(sink.linesDropped > 0)
        var received: [UInt8] = []
        while sink.hasPending {
            received += drain(pair.second.raw)
            sink.flush()
        }
        received += drain(pair.second.raw)
        #expect(isWholeLines(received))
    }

    @Test("A peer that closed its socket ends the output")
    func closedSocket() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        let sink = LogSink(descriptor: pair.first.raw, level: .info)
        Syscalls.shutdown(pair.second.raw, .both)
        sink.log(.info, "lost")
        sink.flush()
        #expect(sink.linesDropped == 1)
        #expect(!sink.hasPending)
    }

    @Test("A full disk drops what waits and writes the next line")
    func fullDisk() throws {
        let pipe = try Syscalls.pipe()
        let sink = LogSink(descriptor: pipe.second.raw, level: .info)
        sink.log(.info, "lost")
        sink.log(.info, "lost")
        Syscalls.forceErrno(.write, .noSpace, count: 1)
        sink.flush()
        #expect(sink.linesDropped == 2)
        sink.log(.info, "written")
        sink.flush()
        let text = String(decoding: drain(pipe.first.raw), as: UTF8.self)
        #expect(text.contains("written"))
        #expect(!text.contains("lost"))
    }

    @Test("A descriptor that is not open drops everything")
    func notOpen() {
        let sink = LogSink(descriptor: 999_999, level: .info)
        sink.log(.info, "lost")
        sink.flush()
        #expect(sink.linesDropped == 1)
    }

    @Test("The flags of the shared descriptor stay as they were")
    func flagsStay() throws {
        let pair = try Syscalls.pipe()
        let before = try Syscalls.contents(of: "/proc/self/fdinfo/\(pair.second.raw)", limit: 4096)
        let sink = LogSink(descriptor: pair.second.raw, level: .info)
        sink.log(.info, "line")
        sink.flush()
        let after = try Syscalls.contents(of: "/proc/self/fdinfo/\(pair.second.raw)", limit: 4096)
        #expect(before == after)
    }
}
