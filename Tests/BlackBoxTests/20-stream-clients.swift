// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Streams: clients that are slow or leave")
    struct StreamClients {
        @Test("a slow reader stops the reading upstream and does not grow the worker")
        func slowReader() throws {
            let event = ChatEvents.content(String(repeating: "x", count: 8_000))
            let piece = HTTPRequestText.chunked(Array(event.utf8), sizes: [.max]).dropLast(5)
            let total = 50_000_000
            let upstream = try ScriptedUpstream { _ in
                [
                    UpstreamAnswer.streamHead(), .flood(piece: Array(piece), total: total),
                    UpstreamAnswer.chunk(ChatEvents.finish() + ChatEvents.done),
                    UpstreamAnswer.lastChunk,
                ]
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                let worker = try #require(try fleet.readyWorkers().first)
                #expect(try fleet.get("/health").status == 200)
                let before = ProcessFacts.residentBytes(worker)
                let connection = try Streams.begin(fleet, receiveBuffer: 32_768)
                #expect(try connection.readHead().status == 200)
                let stalled = try Self.waitForStall(upstream)
                // What is in flight lies in the socket buffers of the kernel, which grow to some MB.
                #expect(stalled < 25_000_000, "\(stalled) bytes were taken from the upstream")
                let grown = ProcessFacts.residentBytes(worker) - before
                #expect(grown < 6_000_000, "the worker grew by \(grown) bytes")
                // Others are served as ever.
                #expect(try fleet.get("/health").status == 200)

                let end = ChatEvents.finish() + ChatEvents.done
                var received = 0
                var tail: [UInt8] = []
                while let next = try connection.nextPiece(by: .after(.seconds(20))) {
                    received += next.count
                    tail = (tail + next).suffix(end.utf8.count)
                }
                let events = (total + piece.count - 1) / piece.count
                #expect(received == events * event.utf8.count + end.utf8.count)
                #expect(tail == Array(end.utf8))
                let after = ProcessFacts.residentBytes(worker) - before
                #expect(after < 6_000_000, "the worker grew by \(after) bytes")
            }
        }

        /// Waits until the upstream cannot write any more; returns how much it has written.
        private static func waitForStall(_ upstream: ScriptedUpstream) throws -> Int {
            var last = -1
            var since = Syscalls.monotonicNanoseconds()
            return try eventually("stall of the upstream", by: .after(.seconds(20))) {
                let now = Syscalls.monotonicNanoseconds()
                let written = upstream.bytesWritten(connection: 0)
                if written != last {
                    last = written
                    since = now
                }
                return written > 0 && now - since > 400_000_000 ? written : nil
            }
        }

        enum Moment: String, CaseIterable {
            case beforeHeaders, beforeContent, midStream
        }

        @Test(
            "a client that leaves ends the upstream call, long before any timeout",
            arguments: Moment.allCases
        )
        func abort(_ moment: Moment) throws {
            let upstream = try ScriptedUpstream { _ in
                switch moment {
                case .beforeHeaders: [.hold]
                case .beforeContent: [UpstreamAnswer.streamHead(), .hold]
                case .midStream:
                    [UpstreamAnswer.streamHead(), UpstreamAnswer.chunk(ChatEvents.content("a"))]
                        + [.hold]
                }
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                var expected = 0
                for isStream in [true, false] where isStream || moment != .midStream {
                    for resets in [false, true] {
                        let connection = try fleet.connect()
                        let body = Fleet.chat("up/m", "\"stream\":\(isStream)")
                        try connection.send(HTTPRequestText.post("/v1/chat/completions", body))
                        let request = try upstream.waitForRequests(expected + 1)[expected]
                        if moment == .midStream {
                            _ = try connection.readHead()
                            #expect(try connection.nextEvent() != nil)
                        } else if moment == .beforeContent {
                            // The head has to be on its way back before the client leaves.
                            try upstream.wait(for: "a head written") {
                                $0.bytesWritten(connection: request.connection) > 0
                            }
                        }
                        let left = Syscalls.monotonicNanoseconds()
                        if resets { connection.reset() } else { connection.close() }
                        let seen = try upstream.waitForPeerToLeave(connection: request.connection)
                        #expect(seen >= left, "the upstream call ended before the client left")
                        expected += 1
                    }
                }
                _ = try fleet.waitForMetrics("\(expected) aborts") {
                    $0.sum("apus_client_aborts_total") == Double(expected)
                        && $0.sum("apus_requests_in_flight") == 0
                        && $0.sum("apus_streams_open") == 0
                }
                let ended = try fleet.log().filter { $0["msg"]?.string == "request" }
                let endings = ended.compactMap { $0["ending"]?.string }
                #expect(endings.allSatisfy { $0 == "client_closed" }, "\(endings)")
            }
        }

        @Test("a pipelined second request does not hide that the client left")
        func abortWithPipelined() throws {
            let upstream = try ScriptedUpstream { _ in [.hold] }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                let connection = try fleet.connect()
                let request = HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m"))
                try connection.send(request + request)
                _ = try upstream.waitForRequests(1)
                connection.close()
                _ = try upstream.waitForPeerToLeave(connection: 0)
                #expect(upstream.requests.count == 1)
            }
        }

        @Test("300 aborts leave no slot, no stream and no descriptor behind")
        func manyAborts() throws {
            let upstream = try ScriptedUpstream { _ in
                [UpstreamAnswer.streamHead(), UpstreamAnswer.chunk(ChatEvents.content("a")), .hold]
            }
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 2)) { fleet, upstream in
                let workers = try fleet.readyWorkers()
                // Each has made an upstream connection before, so that what that needs is there.
                for _ in 0..<4 { try Streams.begin(fleet).close() }
                try expectEmpty(fleet)
                let all = workers + [fleet.pid]
                let baseline = all.map { ProcessFacts.descriptorTargets($0) }
                for round in 0..<10 {
                    let connections = try (0..<30).map { _ in try Streams.begin(fleet) }
                    for (index, connection) in connections.enumerated() {
                        if index % 3 > 0 {
                            _ = try connection.readHead()
                            #expect(try connection.nextEvent() != nil)
                        }
                        if (index + round) % 2 == 0 {
                            connection.reset()
                        } else {
                            connection.close()
                        }
                    }
                }
                try expectEmpty(fleet)
                for (pid, before) in zip(all, baseline) {
                    try ProcessFacts.waitForDescriptors(of: pid, atMost: before)
                }
                try upstream.wait(for: "the end of every connection") {
                    $0.connections.allSatisfy { $0.peerLeftAt != nil }
                }
            }
        }

        private func expectEmpty(_ fleet: Fleet) throws {
            _ = try fleet.waitForMetrics("an empty fleet") {
                $0.sum("apus_requests_in_flight") == 0 && $0.sum("apus_streams_open") == 0
                    && $0.sum("apus_upstream_connections") == 0
                    && $0.sum("apus_worker_connections") == 0
            }
        }

        @Test("a client that does not read is given up when its time is over")
        func neverReads() throws {
            let event = ChatEvents.content(String(repeating: "x", count: 60_000))
            let piece = HTTPRequestText.chunked(Array(event.utf8), sizes: [.max]).dropLast(5)
            let upstream = try ScriptedUpstream { _ in
                [UpstreamAnswer.streamHead(), .flood(piece: Array(piece), total: 1 << 30)]
            }
            let settings = FleetSettings(#""timeouts": { "idle": "500ms" }"#)
            try BlackBox.withUpstream(upstream, settings) { fleet, upstream in
                let connection = try Streams.begin(fleet, receiveBuffer: 32_768)
                _ = try connection.readHead()
                _ = try upstream.waitForPeerToLeave(connection: 0, by: .after(.seconds(15)))
            }
        }
    }
}
