// SPDX-License-Identifier: Apache-2.0
import Bytes
import Metrics
import System

/// What the status address answers with.
///
/// All documents show one snapshot, which is at most 100 ms old, or 20 times what it took to write
/// when that is longer: scrapers may ask as often as they like, and what one document shows, the next
/// one shows too. When the fleet's state or the number
/// of its ready workers changes, a new one is taken at once, so that no document contradicts
/// `/readyz`. Workers report every 100 ms, so a count can follow its request by twice that.
final class StatusPages {
    struct Answer {
        let status: Int
        let contentType: StaticString
        /// Shared with other answers: to be read only.
        let body: ByteBuffer
        var fields: [(name: StaticString, value: String)] = []
    }

    /// How long a snapshot is shown.
    static let keptNanoseconds: UInt64 = 100_000_000
    /// A snapshot is shown at least so many times longer than it took to make: whoever asks, the
    /// supervisor spends at most a twentieth of its time on the answers.
    static let keptPerBuildTime: UInt64 = 20

    static let plainText: StaticString = "text/plain; charset=utf-8"
    static let json: StaticString = "application/json"

    private let source: StatusSource
    private let clock: () -> UInt64
    private var shown: Shown?
    private let live = ByteBuffer("ok\n")
    /// Made when somebody wants it: a fleet that nobody looks at needs no page.
    private lazy var dashboard = DashboardPage()
    private let index: ByteBuffer
    private let unknown: ByteBuffer
    private let notAllowed = ByteBuffer("This address is only to be read: use GET or HEAD.\n")

    /// One snapshot and the documents made of it so far.
    private struct Shown {
        let snapshot: FleetSnapshot
        let metrics: FleetMetrics
        let readiness: FleetReadiness
        var until: UInt64
        var metricsText: ByteBuffer?
        var status: ByteBuffer?
        var fullStatus: ByteBuffer?
        var statusText: ByteBuffer?
    }

    /// `clock` tells how long documents take, in nanoseconds.
    init(_ source: StatusSource, clock: @escaping () -> UInt64 = Syscalls.monotonicNanoseconds) {
        self.source = source
        self.clock = clock
        let list = StatusRoute.paths.map { path, meaning in
            path + String(repeating: " ", count: 13 - path.count) + meaning + "\n"
        }.joined()
        index = ByteBuffer(
            "Apus \(Version.text): status of the supervisor and its workers\n\n" + list
        )
        unknown = ByteBuffer("There is nothing here. What there is:\n\n" + list)
    }

    /// The answer at `now`, nanoseconds of the loop's clock.
    func answer(_ route: StatusRoute, now: UInt64) -> Answer {
        switch route {
        case .index:
            return Answer(
                status: 200,
                contentType: Self.plainText,
                body: index,
                fields: [("vary", "accept")]
            )
        case .dashboard: return dashboardAnswer
        case .live: return Answer(status: 200, contentType: Self.plainText, body: live)
        case .ready:
            let readiness = source.readiness
            return Answer(
                status: readiness.isReady ? 200 : 503,
                contentType: Self.plainText,
                body: ByteBuffer(readiness.reason + "\n")
            )
        case .metrics:
            let body = document(\.metricsText, now: now) { shown, out in
                PrometheusText.append(shown.metrics, shown.snapshot, to: out)
            }
            return Answer(status: 200, contentType: PrometheusText.contentType, body: body)
        case .status(let isFull):
            return Answer(
                status: 200,
                contentType: Self.json,
                body: isFull ? fullStatus(now: now) : status(now: now)
            )
        case .statusText:
            return Answer(status: 200, contentType: Self.plainText, body: statusText(now: now))
        case .notAllowed:
            return Answer(
                status: 405,
                contentType: Self.plainText,
                body: notAllowed,
                fields: [("allow", "GET, HEAD")]
            )
        case .unknown: return Answer(status: 404, contentType: Self.plainText, body: unknown)
        }
    }

    private var dashboardAnswer: Answer {
        Answer(
            status: 200,
            contentType: DashboardPage.contentType,
            body: dashboard.text,
            fields: [
                ("vary", "accept"), ("content-security-policy", dashboard.securityPolicy),
                ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"),
            ]
        )
    }

    private func status(now: UInt64) -> ByteBuffer {
        document(\.status, now: now) { shown, out in
            StatusJSON.append(shown.metrics, shown.snapshot, isFull: false, to: out)
        }
    }

    private func fullStatus(now: UInt64) -> ByteBuffer {
        document(\.fullStatus, now: now) { shown, out in
            var snapshot = shown.snapshot
            for index in snapshot.workers.indices {
                guard let pid = snapshot.workers[index].pid else { continue }
                snapshot.workers[index].proportionalBytes = source.proportionalBytes(pid: pid)
            }
            StatusJSON.append(shown.metrics, snapshot, isFull: true, to: out)
        }
    }

    /// What `apus status` would show.
    private func statusText(now: UInt64) -> ByteBuffer {
        let full = fullStatus(now: now)
        return document(\.statusText, now: now) { _, out in
            guard let reader = StatusReader(full.array) else { return }
            for line in StatusTables(reader).lines { out.append(line + "\n") }
        }
    }

    /// The document of the snapshot that is shown at `now`, written when it is asked for first.
    private func document(
        _ place: WritableKeyPath<Shown, ByteBuffer?>,
        now: UInt64,
        _ write: (Shown, ByteBuffer) -> Void
    ) -> ByteBuffer {
        let begin = clock()
        var shown = current(now: now)
        if let written = shown[keyPath: place] { return written }
        let out = ByteBuffer(capacity: 16 << 10)
        write(shown, out)
        shown[keyPath: place] = out
        let rest = Self.keptPerBuildTime * (clock() - begin)
        shown.until = max(shown.until, now + rest)
        self.shown = shown
        return out
    }

    private func current(now: UInt64) -> Shown {
        let readiness = source.readiness
        if let shown, now < shown.until, shown.readiness == readiness { return shown }
        return Shown(
            snapshot: source.snapshot(),
            metrics: source.metrics(),
            readiness: readiness,
            until: now + Self.keptNanoseconds
        )
    }
}
