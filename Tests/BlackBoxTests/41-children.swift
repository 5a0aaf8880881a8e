// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Children: how they end is known to nobody else")
    struct Children {
        @Test("a parent that ignores SIGCHLD changes nothing: a worker that is killed is replaced")
        func ignoredSignal() throws {
            var settings = FleetSettings(workers: 2)
            // The shell cannot: it wants to know of its children itself.
            settings.launcher = ["/usr/bin/env", "--ignore-signal=CHLD"]
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                try Syscalls.signal(process: workers[0], .kill)
                let exit = try fleet.waitForLog("the exit") { $0["msg"]?.string == "worker exited" }
                #expect(exit["signal"]?.int == 9)
                try FaultScenes.replacement(of: workers[0], slot: 0, fleet)
                #expect(try fleet.waitForWorkers(2).contains(workers[1]))
                #expect(try fleet.process.exitIfEnded() == nil)
                #expect(try fleet.get("/health").status == 200)
            }
        }
    }
}
