// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Faults: a worker that was stopped for longer than its deadlines")
    struct FaultsIdle {
        @Test("Requests that came meanwhile over kept connections are answered, every one of them")
        func requestsWhileStopped() throws {
            let settings = FleetSettings(workers: 1, #""timeouts": { "client_idle": "3s" }"#)
            try BlackBox.withFleet(settings) { fleet in
                let worker = try #require(try FaultScenes.worker(0, of: fleet))
                let all = try (0..<400).map { _ in try FaultScenes.idle(fleet) }
                try Syscalls.signal(process: worker, .stop)
                // Those that a slow machine has let idle for too long already are no matter here.
                let open = all.filter(\.isQuiet)
                #expect(open.count > 256, "\(open.count): more than one turn takes")
                for connection in open { try connection.send(FaultScenes.health) }
                FaultScenes.pass(.milliseconds(3_500))
                try Syscalls.signal(process: worker, .continue)
                var lost = 0
                for connection in open {
                    do {
                        #expect(try connection.readReply().status == 200)
                    } catch is ConnectionLost {
                        lost += 1
                    }
                }
                #expect(lost == 0, "of \(open.count)")
                #expect(try fleet.readyWorkers() == [worker])
            }
        }
    }
}
