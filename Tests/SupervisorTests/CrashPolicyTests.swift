// SPDX-License-Identifier: Apache-2.0
import Scoreboard
import Testing

@testable import Supervisor

@Suite struct CrashPolicyTests {
    private typealias Verdict = CrashPolicy.Verdict
    private typealias Kernel = CrashPolicy.Kernel

    /// A connection of which 100 bytes were read and 1000 written when its answer began at 800.
    private static func record(
        _ phase: ConnectionPhase,
        _ change: (inout ConnectionRecord) -> Void = { _ in }
    ) -> ConnectionRecord {
        var record = ConnectionRecord()
        record.phase = phase
        record.consumed = 100
        record.written = 1000
        record.answerStart = 800
        record.boundary = 1000
        record.form.errors = .gemini
        change(&record)
        return record
    }

    /// What says that the kernel has nothing to add.
    private static let agreed = Kernel(consumed: 100, written: 1000)
    private static let unknown = Kernel(consumed: nil, written: nil)

    private static func form(_ change: (inout AnswerForm) -> Void) -> AnswerForm {
        var form = AnswerForm()
        form.errors = .gemini
        change(&form)
        return form
    }

    private static let plain = form { _ in }
    private static let stream = form { form in
        form.isStream = true
        form.isChunked = true
    }

    private static let oldStream = form { $0.isStream = true }

    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        let record: ConnectionRecord
        var claim = ConnectionClaim.taken
        let kernel: CrashPolicy.Kernel
        let verdict: CrashPolicy.Verdict
        var testDescription: String { name }

        init(
            _ name: String,
            _ record: ConnectionRecord,
            _ kernel: CrashPolicy.Kernel,
            _ verdict: CrashPolicy.Verdict
        ) {
            self.name = name
            self.record = record
            self.kernel = kernel
            self.verdict = verdict
        }
    }

    private static func answering(
        _ form: AnswerForm,
        written: UInt64 = 1000,
        boundary: UInt64 = 1000,
        isWriting: Bool = false
    ) -> ConnectionRecord {
        record(.answering) { record in
            record.form = form
            record.written = written
            record.boundary = boundary
            record.isWriting = isWriting
        }
    }

    static let rows = [
        // Taken, and nothing noted since.
        Row("fresh, nothing read", record(.fresh), agreed, .move),
        Row(
            "fresh, read and not noted",
            record(.fresh),
            Kernel(consumed: 101, written: 1000),
            .unavailable(plain)
        ),
        Row("fresh on a socket without counts", record(.fresh), unknown, .unavailable(plain)),
        // Between two requests.
        Row("idle", record(.idle), agreed, .move),
        Row(
            "idle, a byte of the next request read",
            record(.idle),
            Kernel(consumed: 101, written: 1000),
            .unavailable(AnswerForm())
        ),
        Row("idle on a socket without counts", record(.idle), unknown, .finish),
        // A part of a request was read, so it cannot be read again.
        Row("reading", record(.reading), agreed, .unavailable(plain)),
        Row("reading on a socket without counts", record(.reading), unknown, .unavailable(plain)),
        Row(
            "reading for HEAD",
            record(.reading) { $0.form.isHead = true },
            agreed,
            .unavailable(form { $0.isHead = true })
        ),
        Row(
            "reading, a part of an interim answer out",
            record(.reading) { $0.boundary = 1025 },
            Kernel(consumed: 100, written: 1010),
            .cut
        ),
        Row(
            "reading, an interim answer that was not noted out whole",
            record(.reading) { record in
                record.boundary = 1025
                record.isWriting = true
            },
            Kernel(consumed: 100, written: 1025),
            .unavailable(plain)
        ),
        Row(
            "reading, an interim answer out, and nobody knows how much of it",
            record(.reading) { record in
                record.boundary = 1025
                record.isWriting = true
            },
            unknown,
            .cut
        ),
        // Nothing of the answer is out.
        Row(
            "no byte of the answer",
            answering(plain, written: 800, boundary: 800),
            Kernel(consumed: 100, written: 800),
            .unavailable(plain)
        ),
        Row(
            "no byte of the answer, by the page",
            answering(plain, written: 800, boundary: 800),
            unknown,
            .unavailable(plain)
        ),
        Row(
            "a write was about to begin, and did not",
            answering(stream, written: 800, isWriting: true),
            Kernel(consumed: 100, written: 800),
            .unavailable(stream)
        ),
        Row(
            "a write was about to begin, and nobody knows whether it did",
            answering(stream, written: 800, isWriting: true),
            unknown,
            .cut
        ),
        Row(
            "a write that was not noted went out whole",
            answering(stream, written: 800, isWriting: true),
            agreed,
            .endStream(stream)
        ),
        Row(
            "a write that was not noted went out in part",
            answering(stream, written: 800, isWriting: true),
            Kernel(consumed: 100, written: 999),
            .cut
        ),
        // At a place where a stream can be ended.
        Row("stream between two events", answering(stream), agreed, .endStream(stream)),
        Row(
            "stream between two events, by the page",
            answering(stream),
            unknown,
            .endStream(stream)
        ),
        Row(
            "stream with a part of an event out",
            answering(stream, written: 990),
            Kernel(consumed: 100, written: 990),
            .cut
        ),
        Row(
            "stream with a part of an event out, by the page",
            answering(stream, written: 990),
            unknown,
            .cut
        ),
        Row(
            "more was written than the page knows",
            answering(stream),
            Kernel(consumed: 100, written: 1001),
            .cut
        ),
        Row(
            "stream for HTTP/1.0 between two events",
            answering(oldStream),
            agreed,
            .endStream(oldStream)
        ),
        Row(
            "stream for HTTP/1.0 with a part of an event out",
            answering(oldStream, written: 990),
            Kernel(consumed: 100, written: 990),
            .reset
        ),
        Row(
            "stream for HTTP/1.0, and nobody knows how much of it is out",
            answering(oldStream, isWriting: true),
            unknown,
            .reset
        ),
        Row(
            "stream for HTTP/1.0 of which nothing is out",
            answering(oldStream, written: 800),
            Kernel(consumed: 100, written: 800),
            .unavailable(oldStream)
        ),
        Row(
            "stream for HTTP/1.0 that is complete",
            answering(
                form { form in
                    form.isStream = true
                    form.isComplete = true
                }
            ),
            agreed,
            .finish
        ),
        Row(
            "head of a stream for HEAD, not complete by its own word",
            answering(
                form { form in
                    form.isStream = true
                    form.isChunked = true
                    form.isHead = true
                }
            ),
            agreed,
            .cut
        ),
        Row(
            "chunked answer that is no stream",
            answering(form { $0.isChunked = true }),
            agreed,
            .cut
        ),
        Row("answer with a length, in part", answering(plain), agreed, .cut),
        // Whole answers need nothing but an orderly close.
        Row("complete", answering(form { $0.isComplete = true }), agreed, .finish),
        Row(
            "complete by its own word, on a socket without counts",
            answering(form { $0.isComplete = true }),
            unknown,
            .finish
        ),
        Row(
            "complete once the kernel takes the rest",
            answering(form { $0.isComplete = true }, written: 900),
            Kernel(consumed: 100, written: 900),
            .cut
        ),
        Row(
            "complete stream",
            answering(
                form { form in
                    form.isStream = true
                    form.isChunked = true
                    form.isComplete = true
                }
            ),
            agreed,
            .finish
        ),
        Row(
            "complete, and the next answer's beginning was moved already",
            record(.answering) { record in
                record.form.isComplete = true
                record.answerStart = 1000
            },
            agreed,
            .finish
        ),
        Row(
            "complete by its form, of which nothing is out",
            answering(form { $0.isComplete = true }, written: 800),
            Kernel(consumed: 100, written: 800),
            .unavailable(form { $0.isComplete = true })
        ),
        Row("closing", record(.closing), agreed, .finish),
        Row("closing on a socket without counts", record(.closing), unknown, .finish),
        Row(
            "closing while the client still sends",
            record(.closing),
            Kernel(consumed: 5_000, written: 1000),
            .finish
        ),
    ]

    @Test("What a client gets whose worker died", arguments: rows)
    func verdict(row: Row) {
        // A record that was freed says as much as one that is in use.
        for claim in [ConnectionClaim.taken, .free] {
            #expect(CrashPolicy.verdict(row.record, claim, row.kernel) == row.verdict)
        }
    }

    @Test(
        "A connection that the worker had not claimed moves, whatever else is there",
        arguments: rows
    )
    func unclaimed(row: Row) {
        for claim in [ConnectionClaim.offered, .revoked] {
            #expect(CrashPolicy.verdict(row.record, claim, row.kernel) == .move)
        }
    }

    @Test("For every state there is a verdict that adds nothing to a part of an answer")
    func all() {
        let counts: [UInt64?] = [nil, 0, 799, 800, 801, 999, 1000, 1001, .max]
        for phase in ConnectionPhase.allCases {
            for flags in 0..<32 {
                for written in counts {
                    for isWriting in [false, true] {
                        var record = Self.record(phase) { $0.isWriting = isWriting }
                        record.form.isHead = flags & 1 != 0
                        record.form.isStream = flags & 2 != 0
                        record.form.isChunked = flags & 4 != 0
                        record.form.isComplete = flags & 8 != 0
                        record.form.hasBody = flags & 16 != 0
                        check(record, Kernel(consumed: 100, written: written))
                    }
                }
            }
        }
    }

    private func check(_ record: ConnectionRecord, _ kernel: CrashPolicy.Kernel) {
        let written = kernel.written ?? record.written
        switch CrashPolicy.verdict(record, .taken, kernel) {
        case .move:
            #expect(record.phase == .fresh || record.phase == .idle)
        case .unavailable:
            // Never behind the beginning of an answer.
            #expect(record.phase != .answering || written == record.answerStart)
            #expect(record.phase != .reading || written == record.boundary)
            #expect(record.phase != .closing)
        case .endStream(let form):
            #expect(record.phase == .answering && written == record.boundary)
            #expect(form == record.form)
            #expect(form.isStream && !form.isHead && !form.isComplete)
        case .finish:
            #expect(record.phase == .closing || record.form.isComplete)
        case .cut:
            #expect(record.phase == .reading || record.phase == .answering)
            // The end of such a body would say that it is whole.
            let isUnframed = record.form.isStream && !record.form.isChunked
            #expect(record.phase == .reading || !isUnframed)
        case .reset:
            #expect(record.phase == .answering)
            #expect(record.form.isStream && !record.form.isChunked)
        }
    }
}
