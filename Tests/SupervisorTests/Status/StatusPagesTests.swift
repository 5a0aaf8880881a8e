// SPDX-License-Identifier: Apache-2.0
import Bytes
import Metrics
import Support
import Testing

@testable import Supervisor

@Suite struct StatusPagesTests {
    private let second: UInt64 = 1_000_000_000

    @Test(
        "Readiness and its reason",
        arguments: [
            (FleetSnapshot.State.running, 5, 5, 200, "ok: 5 of 5 workers ready"),
            (.running, 1, 1, 200, "ok: 1 of 1 worker ready"),
            (.degraded, 1, 5, 200, "ok: 1 of 5 workers ready"),
            (.reloading, 5, 5, 200, "ok: 5 of 5 workers ready"),
            (.starting, 0, 5, 503, "starting: none of 5 workers is ready yet"),
            (.degraded, 0, 1, 503, "none of 1 worker is ready"),
            (.reloading, 0, 2, 503, "none of 2 workers is ready"),
            (.draining, 3, 5, 503, "draining"), (.draining, 0, 5, 503, "draining"),
        ]
    )
    func readiness(
        state: FleetSnapshot.State,
        ready: Int,
        configured: Int,
        status: Int,
        reason: String
    ) {
        let source = FakeStatusSource()
        source.shownReadiness = FleetReadiness(state: state, ready: ready, configured: configured)
        let answer = StatusPages(source).answer(.ready, now: second)
        #expect(answer.status == status)
        #expect(answer.body.text == reason + "\n")
        #expect(source.snapshotsTaken == 0)
    }

    @Test("All documents show one snapshot for 100 ms")
    func oneSnapshot() {
        let source = FakeStatusSource()
        source.fill(workers: 3)
        let pages = StatusPages(source, clock: { 0 })
        let routes: [StatusRoute] = [.metrics, .status(isFull: false), .status(isFull: true)]
        for step in 0..<50 {
            for route in routes {
                _ = pages.answer(route, now: second + UInt64(step) * 2_000_000)
            }
        }
        #expect(source.snapshotsTaken == 1)
        #expect(source.memoryReads == 3)
        _ = pages.answer(.metrics, now: second + StatusPages.keptNanoseconds - 1)
        #expect(source.snapshotsTaken == 1)
        _ = pages.answer(.status(isFull: true), now: second + StatusPages.keptNanoseconds)
        #expect(source.snapshotsTaken == 2)
        #expect(source.memoryReads == 6)
    }

    @Test("No document contradicts /readyz")
    func stateChanges() throws {
        let source = FakeStatusSource()
        source.shownSnapshot.state = .running
        let pages = StatusPages(source)
        _ = pages.answer(.status(isFull: false), now: second)
        source.shownSnapshot.state = .draining
        source.shownReadiness.state = .draining
        let text = pages.answer(.status(isFull: false), now: second + 1).body.text
        #expect(try JSONValue(text)["state"]?.string == "draining")
        source.shownReadiness.ready = 1
        _ = pages.answer(.metrics, now: second + 2)
        _ = pages.answer(.metrics, now: second + 3)
        #expect(source.snapshotsTaken == 3)
    }

    @Test("Documents that take long are shown for longer")
    func costBound() {
        let source = FakeStatusSource()
        var time: UInt64 = 0
        source.snapshotBegins = { time += 50_000_000 }
        let pages = StatusPages(source, clock: { time })
        _ = pages.answer(.metrics, now: second)
        _ = pages.answer(.metrics, now: 2 * second - 1)
        #expect(source.snapshotsTaken == 1)
        _ = pages.answer(.metrics, now: 2 * second)
        #expect(source.snapshotsTaken == 2)
    }

    @Test("The share of memory is read and shown on demand only")
    func memory() throws {
        let source = FakeStatusSource()
        source.fill(workers: 1)
        let pages = StatusPages(source)
        let brief = try JSONValue(pages.answer(.status(isFull: false), now: second).body.text)
        _ = pages.answer(.metrics, now: second)
        #expect(brief["processes"] == nil)
        #expect(source.memoryReads == 0)
        let full = try JSONValue(pages.answer(.status(isFull: true), now: second).body.text)
        #expect(full["processes"]?[0]?["pss"]?.int == 1000 * 1024)
    }

    @Test("What is not known of a worker has no series")
    func unknownMemory() throws {
        let source = FakeStatusSource()
        source.fill(workers: 2)
        source.shownSnapshot.workers[1].residentBytes = 5000
        let text = StatusPages(source).answer(.metrics, now: second).body.text
        let metrics = try Support.PrometheusText(text)
        let samples = metrics.samples.filter { $0.name == "apus_worker_resident_bytes" }
        #expect(samples.map(\.value) == [5000])
        #expect(samples.map { $0.labels["slot"] } == ["1"])
    }
}
