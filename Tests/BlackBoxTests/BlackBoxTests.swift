// SPDX-License-Identifier: Apache-2.0
import Support
import Synchronization
import Testing

/// Everything that is tested through the real binaries.
///
/// One test at a time: they measure times and count descriptors, and the machine may have two cores.
@Suite("Black box", .serialized, .compactMapIssues(FailureCount.note))
enum BlackBox {
    /// Runs `body` with a fleet of its own and stops it whatever happens.
    static func withFleet(
        _ settings: FleetSettings = FleetSettings(),
        arguments: [String] = [],
        _ body: (Fleet) throws -> Void
    ) throws {
        let before = FailureCount.value
        let fleet = try Fleet(settings, arguments: arguments)
        do {
            try body(fleet)
        } catch {
            fleet.stop(failed: true)
            throw error
        }
        #expect(fleet.faultsAtEnd() == [])
        fleet.stop(failed: FailureCount.value != before)
    }

    /// Runs `body` with a scripted upstream and a fleet that knows it as `up`.
    ///
    /// What the product sent upstream must have been proper HTTP.
    static func withUpstream(
        _ upstream: ScriptedUpstream,
        _ settings: FleetSettings = FleetSettings(),
        _ body: (Fleet, ScriptedUpstream) throws -> Void
    ) throws {
        defer { upstream.stop() }
        try withFleet(settings.with("up", upstream)) { fleet in
            try body(fleet, upstream)
            #expect(upstream.problems == [])
        }
    }
}

/// Issues recorded so far, so that a failed test keeps what it worked with.
enum FailureCount {
    private static let count = Atomic(0)

    static var value: Int { count.load(ordering: .relaxed) }

    @Sendable static func note(_ issue: Issue) -> Issue? {
        count.add(1, ordering: .relaxed)
        return issue
    }
}
