// SPDX-License-Identifier: Apache-2.0

/// What the upstreams say that they have.
final class UpstreamListings {
    private let worker: Worker

    init(worker: Worker) {
        self.worker = worker
    }

    /// Calls `body` when the listings are fresh, or could not be made so.
    func whenFresh(_ body: @escaping () -> Void) {
        body()
    }

    /// Ids of an upstream's models; empty when nobody knows.
    func models(of upstream: Upstream) -> [String] {
        switch upstream.kind {
        case .demo: DemoRequest.Behavior.names
        case .openai: []
        }
    }
}
