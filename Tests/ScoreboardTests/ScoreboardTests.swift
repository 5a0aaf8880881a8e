// SPDX-License-Identifier: Apache-2.0
import System
import Testing

@testable import Scoreboard

@Suite struct ScoreboardTests {
    @Test("A page that a worker writes is read through another mapping")
    func sharing() throws {
        let page = try Scoreboard()
        let worker = try Scoreboard(mapping: try duplicate(page.descriptor))
        worker.turnBegan(at: 1_000)
        worker.set(requests: 3, streams: 2, connections: 9)
        worker.set(bytesQueued: 70_000)
        worker.sent(500)
        worker.sent(1)
        worker.requestEnded()
        worker.set(oldestStream: 77)
        #expect(page.load.turnStartedAt == 1_000)
        worker.turnEnded(at: 9_000)
        let load = page.load
        #expect(load.turnStartedAt == 0 && load.turnEndedAt == 9_000 && load.turns == 1)
        #expect(load.lag == 1_000)
        #expect(load.requests == 3 && load.streams == 2 && load.connections == 9)
        #expect(load.bytesQueued == 70_000 && load.bytesOut == 501 && load.requestsTotal == 1)
        #expect(load.oldestStream == 77)
    }

    private func duplicate(_ raw: Int32) throws -> OwnedFD {
        let owned = OwnedFD(owning: raw)
        let copy = try owned.duplicate()
        _ = owned.release()
        return copy
    }

    @Test("A file that is no page is refused")
    func foreign() throws {
        #expect(throws: Errno.invalid) {
            _ = try Scoreboard(mapping: try Syscalls.sealedMemory("short", [1, 2, 3].span))
        }
        #expect(throws: Errno.invalid) {
            let empty = try SharedMemory("empty", count: Scoreboard.bytes)
            _ = try Scoreboard(mapping: try duplicate(empty.fd.raw))
        }
    }

    @Test("Only one of worker and supervisor gets an offered connection")
    func claims() throws {
        let page = try Scoreboard()
        page.offer(5)
        #expect(page.claim(5) == .offered)
        #expect(page.take(5))
        #expect(!page.revoke(5))
        page.giveBack(5)
        #expect(page.revoke(5))
        #expect(!page.take(5))
        #expect(page.claim(5) == .revoked)
        page.free(5)
        #expect(!page.take(5) && !page.revoke(5))
        page.offer(5)
        #expect(page.take(5))
    }

    @Test("Whatever a broken worker wrote, its load can be added up")
    func wild() throws {
        let page = try Scoreboard()
        for offset in stride(from: Scoreboard.Field.turnStartedAt, to: 512, by: 8) {
            page.memory.store64(offset, .max)
        }
        let load = page.load
        let times = [load.turnStartedAt, load.turnEndedAt, load.lag, load.oldestStream]
        for time in times { #expect(time &+ 1_000_000_000 > time) }
        var sum: UInt64 = 0
        for _ in 0..<1024 {
            for total in [load.bytesOut, load.requestsTotal, load.streamsAborted] {
                let (next, hasOverflowed) = sum.addingReportingOverflow(total / 3)
                #expect(!hasOverflowed)
                sum = next
            }
        }
    }

    @Test("A record reads back as it was written")
    func record() throws {
        let page = try Scoreboard()
        let last = Scoreboard.recordsMax - 1
        page.offer(last)
        #expect(page.record(last) == ConnectionRecord())
        #expect(page.requestID(last) == nil)
        for phase in ConnectionPhase.allCases {
            for errors in ErrorDialect.allCases {
                for stream in StreamDialect.allCases {
                    for flags in 0..<32 {
                        var form = AnswerForm()
                        form.errors = errors
                        form.stream = stream
                        form.isHead = flags & 1 != 0
                        form.isStream = flags & 2 != 0
                        form.isChunked = flags & 4 != 0
                        form.isComplete = flags & 8 != 0
                        form.hasBody = flags & 16 != 0
                        page.set(last, phase, form)
                        let read = page.record(last)
                        #expect(read.phase == phase && read.form == form)
                    }
                }
            }
        }
        page.set(last, consumed: 10)
        page.set(last, answerStart: 20)
        page.writing(last, upTo: 50)
        #expect(page.record(last).isWriting)
        page.wrote(last, total: 40)
        let read = page.record(last)
        #expect(read.consumed == 10 && read.answerStart == 20 && read.boundary == 50)
        #expect(read.written == 40 && !read.isWriting)
        page.offer(last)
        #expect(page.record(last) == ConnectionRecord())
    }

    @Test("Ids of requests read back, generated ones and those of clients")
    func identifiers() throws {
        let page = try Scoreboard()
        page.offer(0)
        page.beginRequest(0, at: 5, id: 0xAB, 0xFFFF_FFFF_FFFF_FFFF)
        #expect(page.requestID(0) == "req_00000000000000abffffffffffffffff")
        #expect(page.record(0).requestStartedAt == 5)
        for count in 1...64 {
            let text =
                String("abcdefghijklmnopqrstuvwxyz0123456789".reversed().prefix(1))
                + String(repeating: "x", count: count - 1)
            page.set(0, clientID: Array(text.utf8).span)
            #expect(page.requestID(0) == text)
        }
        page.set(0, clientID: Array(String(repeating: "y", count: 100).utf8).span)
        #expect(page.requestID(0) == String(repeating: "y", count: 64))
        page.set(0, clientID: [0x41, 0x0A].span)
        #expect(page.requestID(0) == nil)
    }

    @Test("The request that is worked at is named by the crash note, until the turn ends")
    func current() throws {
        let page = try Scoreboard()
        page.offer(2)
        page.beginRequest(2, at: 5, id: 1, 2)
        page.turnBegan(at: 1)
        page.working(for: 2)
        #expect(page.crashNote.requestID == "req_00000000000000010000000000000002")
        #expect(page.crashNote.signal == nil && page.crashNote.backtrace.isEmpty)
        page.turnEnded(at: 2)
        #expect(page.crashNote.requestID == nil)
    }
}
