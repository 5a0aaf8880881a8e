// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Upstream faults within a stream")
    struct UpstreamStreamFaults {
        enum Fault: String, CaseIterable {
            case cut, reset, stalled, endedWithoutDone, garbageChunk, cutWithinEvent
            case pingsForEver
        }

        private static let contents = ["one", "two"].map { ChatEvents.content($0) }

        private static func steps(_ fault: Fault, _ gate: Gate) -> [UpstreamStep] {
            // The gate keeps content and fault out of one read: what comes together with its fault
            // may be judged before anything was passed on.
            let start =
                [UpstreamAnswer.streamHead()] + contents.map { UpstreamAnswer.chunk($0) }
                + [.wait(gate)]
            switch fault {
            case .cut: return start + [.end]
            case .reset: return start + [.reset]
            case .stalled: return start + [.hold]
            case .endedWithoutDone: return start + [UpstreamAnswer.lastChunk]
            case .garbageChunk: return start + [.text("zz\r\n"), .hold]
            case .cutWithinEvent:
                return start + [UpstreamAnswer.chunk("data: {\"choices\":[{\"ind"), .end]
            case .pingsForEver:
                let ping = [
                    UpstreamStep.pause(.milliseconds(50)), UpstreamAnswer.chunk(": hi\n\n"),
                ]
                return start + Array(repeating: ping, count: 100).flatMap { $0 }
            }
        }

        @Test(
            "after content a fault is an error event, never a clean end and never [DONE]",
            arguments: Fault.allCases
        )
        func fault(_ fault: Fault) throws {
            let gate = try Gate()
            let upstream = try ScriptedUpstream { _ in Self.steps(fault, gate) }
            let isTimeout = fault == .stalled || fault == .pingsForEver
            // No timeout may come before a fault that is none.
            let settings = FleetSettings(
                #""timeouts": { "idle": "\#(isTimeout ? "1s" : "60s")" }"#
            )
            try BlackBox.withUpstream(upstream, settings) { fleet, upstream in
                let connection = try Streams.begin(fleet)
                #expect(try connection.readHead().status == 200)
                var events: [StreamEvent] = []
                for _ in Self.contents {
                    events.append(try #require(try connection.nextEvent()))
                }
                gate.open()
                do {
                    while let event = try connection.nextEvent() { events.append(event) }
                } catch is ConnectionLost {
                    // An end without the last chunk says the same to the client.
                }
                let data = events.filter { $0.data != nil }
                #expect(data.count == 3, "\(data.map(\.text))")
                #expect(data.prefix(2).map(\.text) == Self.contents)
                let error = try #require(try data.last?.json()["error"])
                expectErrorMembers(error, "\(fault)")
                #expect(!events.contains { $0.isDone })
                switch fault {
                case .stalled, .garbageChunk, .pingsForEver:
                    _ = try upstream.waitForPeerToLeave(connection: 0)
                case .cut, .reset, .cutWithinEvent, .endedWithoutDone:
                    // The upstream itself ended them, or all was read and the pool may keep it.
                    break
                }
                let record = try fleet.waitForLog("the request") {
                    $0["msg"]?.string == "request"
                }
                let ending = isTimeout ? "upstream_timeout" : "upstream_cut"
                #expect(record["ending"]?.string == ending)
                _ = try fleet.waitForMetrics("nothing open") {
                    $0.sum("apus_streams_open") == 0 && $0.sum("apus_requests_in_flight") == 0
                }
            }
        }

        @Test("before content the same faults are a JSON error with a status")
        func beforeContent() throws {
            let head = UpstreamAnswer.streamHead()
            let late: [[UpstreamStep]] = [
                [head, .hold], [head, UpstreamAnswer.chunk(": ping\n\n"), .hold],
            ]
            let broken: [[UpstreamStep]] = [
                [head, .end], [head, UpstreamAnswer.lastChunk],
                [head, UpstreamAnswer.chunk("data: {\"cho"), .end], [head, .text("zz\r\n"), .end],
            ]
            // No timeout may come before a fault that is none.
            for (status, rows, settings) in [
                (504, late, UpstreamFaults.shortTimeouts), (502, broken, FleetSettings()),
            ] {
                let upstream = try ScriptedUpstream { rows[$0.index] }
                try BlackBox.withUpstream(upstream, settings) { fleet, _ in
                    for index in rows.indices {
                        let reply = try Streams.begin(fleet).readReply()
                        try expectError(reply, status, "row \(index)")
                    }
                }
            }
        }

        @Test("a stream whose last chunk of content said why it ended may lack [DONE]")
        func missingDone() throws {
            let events = Array(ChatEvents.whole(2).dropLast())
            let upstream = try ScriptedUpstream { _ in UpstreamAnswer.stream(events) }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let reply = try Streams.begin(fleet).readReply()
                #expect(reply.text == events.joined() + ChatEvents.done)
            }
        }

        @Test("an answer in one piece to a streamed request is not passed off as a stream")
        func notAStream() throws {
            let upstream = try ScriptedUpstream { _ in UpstreamAnswer.json(ChatEvents.completion())
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let reply = try Streams.begin(fleet).readReply()
                #expect(reply.status == 200)
                #expect(reply.value("content-type") == "application/json")
                #expect(reply.text == ChatEvents.completion())
            }
        }

        @Test("the whole exchange has its time, however lively the stream")
        func totalTimeout() throws {
            let upstream = try ScriptedUpstream { _ in
                let event = [
                    UpstreamStep.pause(.milliseconds(50)),
                    UpstreamAnswer.chunk(ChatEvents.content("x")),
                ]
                return [UpstreamAnswer.streamHead()]
                    + Array(repeating: event, count: 200).flatMap { $0 }
            }
            let settings = FleetSettings(#""timeouts": { "total": "700ms" }"#)
            try BlackBox.withUpstream(upstream, settings) { fleet, upstream in
                let before = Syscalls.monotonicNanoseconds()
                let reply = try Streams.begin(fleet).readReply()
                let taken = (Syscalls.monotonicNanoseconds() - before) / 1_000_000
                #expect(taken >= 600, "\(taken) ms")
                let events = try reply.events()
                #expect(try events.last?.json()["error"] != nil)
                #expect(!events.contains { $0.isDone })
                _ = try upstream.waitForPeerToLeave(connection: 0)
            }
        }

        @Test("a stream is not timed out while events keep coming")
        func livelyStream() throws {
            let upstream = try ScriptedUpstream { _ in
                UpstreamAnswer.stream(ChatEvents.whole(10), pause: .milliseconds(250))
            }
            // Shorter than the whole, and much longer than any silence in it.
            let settings = FleetSettings(#""timeouts": { "idle": "2s" }"#)
            try BlackBox.withUpstream(upstream, settings) { (fleet, _) throws in
                #expect(try Streams.begin(fleet).readReply().text == ChatEvents.whole(10).joined())
            }
        }
    }
}
