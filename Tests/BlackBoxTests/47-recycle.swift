// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Recycling: healthy workers that are old or large")
    struct Recycling {
        @Test("workers are replaced by age, one at a time, and nobody notices")
        func age() throws {
            let settings = FleetSettings(workers: 3, #""fleet": { "recycle_age": "1500ms" }"#)
            try BlackBox.withFleet(settings) { fleet in
                let first = try fleet.readyWorkers()
                let kept = try fleet.connect()
                var fewest = Int.max
                _ = try eventually("three workers replaced", by: .after(.seconds(20))) {
                    try kept.send(HTTPRequestText.bytes("GET", "/health"))
                    #expect(try kept.readReply().status == 200)
                    #expect(try fleet.get("/health").status == 200)
                    let ready = try fleet.readyWorkers()
                    fewest = min(fewest, ready.count)
                    return Set(ready).isDisjoint(with: first) ? true : nil
                }
                // A replacement serves before the old one drains.
                #expect(fewest >= 3, "\(fewest)")
                #expect(try FaultScenes.restarts("recycle", fleet) >= 3)
                #expect(try FaultScenes.restarts("crash", fleet) == 0)
            }
        }

        @Test("a worker that has grown beyond the limit is replaced")
        func memory() throws {
            var settings = FleetSettings(workers: 1, #""fleet": { "recycle_memory": "96MiB" }"#)
            settings.environment = ["APUS_WORKER_FAULT=paths"]
            try BlackBox.withFleet(settings) { fleet in
                let first = try fleet.readyWorkers()
                #expect(try fleet.get("/fault/leak?200").status == 200)
                let next = try eventually("another worker", by: .after(.seconds(10))) {
                    let ready = try fleet.readyWorkers()
                    return ready.count == 1 && ready != first ? ready : nil
                }
                #expect(try FaultScenes.restarts("recycle", fleet) == 1)
                // The fresh one is small, and stays.
                #expect(try fleet.get("/health").status == 200)
                #expect(try fleet.readyWorkers() == next)
            }
        }
    }
}
