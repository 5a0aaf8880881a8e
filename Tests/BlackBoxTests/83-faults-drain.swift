// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Faults: drains and the end of the supervisor")
    struct FaultsDrain {
        /// A stream that sends an event every 50 ms and never ends.
        private static func endless() throws -> ScriptedUpstream {
            try ScriptedUpstream { request in
                if !request.text.contains("\"stream\":true") {
                    return UpstreamAnswer.json(ChatEvents.completion())
                }
                let event = UpstreamAnswer.chunk(FaultScenes.events[0])
                return [UpstreamAnswer.streamHead(), event]
                    + (0..<1_000).flatMap { _ in [.pause(.milliseconds(50)), event] }
            }
        }

        private func milliseconds(since start: UInt64) -> UInt64 {
            (Syscalls.monotonicNanoseconds() - start) / 1_000_000
        }

        @Test("Fault 10: without its supervisor a worker finishes and goes, and the port is free")
        func supervisorKilled() throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            var settings = FleetSettings(workers: 3)
            // An address that nobody else uses, so that nobody else takes the port in between.
            settings.listen = ["127.83.10.1:0"]
            try BlackBox.withUpstream(upstream, settings) { fleet, upstream in
                let workers = try fleet.readyWorkers()
                let stream = try FaultScenes.begin(1, fleet)[0]
                let idle = try FaultScenes.idle(fleet)
                try fleet.process.signal(.kill)
                _ = try fleet.process.waitForExit()
                // Two of them have nothing to finish.
                _ = try eventually("end of the idle workers") {
                    workers.count { ProcessFacts.isRunning($0) } == 1 ? true : nil
                }
                #expect(try idle.waitForEnd() == ConnectionLost(wasReset: false))
                var settings = FleetSettings(workers: 1).with("up", upstream)
                settings.listen = ["\(fleet.address)"]
                try BlackBox.withFleet(settings) { next in
                    #expect(next.address == fleet.address)
                    #expect(try next.chat("up/m").status == 200)
                    gate.open()
                    #expect(try FaultScenes.end(of: stream) == .whole)
                    _ = try eventually("end of the last worker") {
                        workers.contains { ProcessFacts.isRunning($0) } ? nil : true
                    }
                }
            }
        }

        @Test("Fault 32: a stream that ends before the deadline is whole, and systemd is told")
        func streamWithinDeadline() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let socket = try NotifySocket(in: directory)
            let gate = try Gate()
            var settings = FleetSettings(
                workers: 2,
                #""timeouts": { "drain": "20s" }"#,
                #""fleet": { "lame_duck": "3s" }"#
            )
            settings.environment = ["NOTIFY_SOCKET=\(socket.path)"]
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                let stream = try FaultScenes.begin(1, fleet)[0]
                // Takes the copies of the listeners that were stored here, and closes them.
                try socket.waitForLine("READY=1")
                _ = try socket.received()
                try fleet.process.signal(.terminate)
                // Lame duck: not ready any more, and everybody is served.
                _ = try eventually("failing readiness") {
                    try fleet.statusGet("/readyz").status == 503 ? true : nil
                }
                #expect(try fleet.get("/health").status == 200)
                _ = try fleet.waitForLog("the drain") { $0["msg"]?.string == "draining" }
                _ = try eventually("refusal") { () -> Bool? in
                    do {
                        _ = try fleet.connect()
                        return nil
                    } catch let error as Errno where error == .connectionRefused {
                        return true
                    }
                }
                // The service manager hears of it again and again.
                _ = try eventually("two extensions") {
                    let said = try socket.received()
                    return said.count { $0.hasPrefix("EXTEND_TIMEOUT_USEC=") } >= 2 ? true : nil
                }
                #expect(try socket.received().contains { $0.hasPrefix("STATUS=draining") })
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
            }
        }

        @Test("Fault 33: an endless stream gets an error event at the deadline, and exit 0 follows")
        func endlessStream() throws {
            let settings = FleetSettings(workers: 2, #""timeouts": { "drain": "5s" }"#)
            try BlackBox.withUpstream(try Self.endless(), settings) { fleet, _ in
                let stream = try FaultScenes.begin(1, fleet)[0]
                let start = Syscalls.monotonicNanoseconds()
                try fleet.process.signal(.terminate)
                var last: StreamEvent?
                while let event = try stream.nextEvent() { last = event }
                let ended = milliseconds(since: start)
                #expect(ended >= 3_000, "after \(ended) ms")
                #expect(try last?.json()["error"]?["message"]?.string != nil)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                // The stream itself goes on for 50 s.
                #expect(milliseconds(since: start) < 15_000)
            }
        }

        @Test("Fault 34: a client that does not read any more does not hold up a drain")
        func clientDoesNotRead() throws {
            let piece = Array(FaultScenes.events[0].utf8)
            let upstream = try ScriptedUpstream { _ in
                [
                    UpstreamAnswer.streamHead(),
                    .flood(
                        piece: Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [
                            13, 10,
                        ],
                        total: 64 << 20
                    ),
                ]
            }
            let settings = FleetSettings(workers: 1, #""timeouts": { "drain": "2s" }"#)
            try BlackBox.withUpstream(upstream, settings) { fleet, upstream in
                let stream = try Streams.begin(fleet, receiveBuffer: 8_192)
                _ = try stream.readHead()
                // Every buffer on the way is full when nothing is written for a moment.
                var written = 0
                _ = try eventually("full buffers") {
                    FaultScenes.pass(.milliseconds(200))
                    defer { written = upstream.bytesWritten(connection: 0) }
                    return written > 0 && written == upstream.bytesWritten(connection: 0)
                        ? true : nil
                }
                try fleet.process.signal(.terminate)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
            }
        }

        @Test(
            "Fault 35: a second signal in a drain ends it at once, and every stream properly",
            arguments: [
                Signal.terminate, .interrupt,
            ]
        )
        func secondSignal(_ signal: Signal) throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 2)) { fleet, _ in
                let workers = try fleet.readyWorkers()
                let streams = try FaultScenes.begin(4, fleet)
                try fleet.process.signal(.terminate)
                _ = try fleet.waitForLog("the drain") { $0["msg"]?.string == "draining" }
                // The drain would go on for as long as the streams, or for 60 s.
                try fleet.process.signal(signal)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                #expect(!workers.contains { ProcessFacts.isRunning($0) })
                for stream in streams {
                    #expect(try FaultScenes.end(of: stream) == .error(code: "worker_lost"))
                }
            }
        }

        @Test(
            "Fault 36: idle connections are closed one by one, and no request is taken and dropped"
        )
        func idleAtDrain() throws {
            let settings = FleetSettings(workers: 2, #""timeouts": { "drain": "8s" }"#)
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                // Holds the drain open, so that what closes the others is the spread.
                let stream = try FaultScenes.begin(1, fleet)[0]
                let idle = try (0..<40).map { _ in try FaultScenes.idle(fleet) }
                let busy = try (0..<10).map { _ in try FaultScenes.idle(fleet) }
                try fleet.process.signal(.terminate)
                let start = Syscalls.monotonicNanoseconds()
                var open = Array(idle.indices)
                var closedAt: [UInt64] = []
                var asking = Array(busy.indices)
                var answers = 1 * busy.count + idle.count
                while !open.isEmpty || !asking.isEmpty, milliseconds(since: start) < 6_000 {
                    asking = try asking.filter { index in
                        do {
                            try busy[index].send(FaultScenes.health)
                            let reply = try busy[index].readReply()
                            #expect(reply.status == 200 && reply.isComplete)
                            answers += 1
                            return reply.value("connection") != "close"
                        } catch is ConnectionLost {
                            return false
                        }
                    }
                    open = open.filter { index in
                        if idle[index].isQuiet { return true }
                        closedAt.append(milliseconds(since: start))
                        return false
                    }
                    FaultScenes.pass(.milliseconds(5))
                }
                #expect(open == [] && asking == [])
                for index in idle.indices {
                    #expect(try idle[index].waitForEnd() == ConnectionLost(wasReset: false))
                }
                // Spread over time, not all in one moment.
                #expect((closedAt.last ?? 0) - (closedAt.first ?? 0) > 500, "\(closedAt)")
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                // What workers took they answered: as many answers came as requests were read.
                try fleet.process.waitForEndOfOutput()
                let served = try fleet.log().count { $0["path"]?.string == "/health" }
                #expect(served == answers, "\(served) served, \(answers) answered")
            }
        }
    }
}
