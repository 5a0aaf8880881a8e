// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Log
import Loop

/// What the upstreams say that they have.
///
/// A listing is fetched when somebody asks for models and the last one is old; all who ask meanwhile
/// wait for the same answer. An upstream that does not answer costs its models, not the answer.
final class UpstreamListings {
    /// How long one upstream may take: people wait for `/v1/models`.
    static let timeout: UInt64 = 2_000_000_000
    /// How long a listing serves: providers add models every few days.
    private static let freshNanoseconds: UInt64 = 300_000_000_000
    /// How long an upstream that failed is left alone.
    private static let failedNanoseconds: UInt64 = 15_000_000_000
    /// Longest id that is taken over.
    private static let idBytesMax = 256

    private struct Listing {
        var ids: [String] = []
        var isFetching = false
        /// Loop time until which the listing serves, 0 before the first one.
        var freshUntil: UInt64 = 0
    }

    private let worker: Worker
    /// By place in the configuration.
    private var listings: [Listing]
    private var waiters: [() -> Void] = []

    init(worker: Worker) {
        self.worker = worker
        listings = Array(repeating: Listing(), count: worker.upstreams.count)
    }

    /// Calls `body` when every listing is fresh or could not be made so.
    func whenFresh(_ body: @escaping () -> Void) {
        for upstream in worker.upstreams {
            guard case .openai(let server) = upstream.kind else { continue }
            let position = upstream.position
            let isFresh = worker.loop.now < listings[position].freshUntil
            guard !isFresh, !listings[position].isFetching else { continue }
            listings[position].isFetching = true
            worker.control.begin(
                server.listing,
                ListingSink(listings: self, position: position)
            )
        }
        guard listings.contains(where: \.isFetching) else {
            body()
            return
        }
        waiters.append(body)
    }

    /// Ids of an upstream's models; empty when nobody knows.
    func models(of upstream: Upstream) -> [String] {
        switch upstream.kind {
        case .demo: DemoRequest.Behavior.names
        case .openai: listings[upstream.position].ids
        }
    }

    fileprivate func fetched(_ position: Int, _ result: ControlResult) {
        listings[position].isFetching = false
        if let ids = Self.ids(result) {
            listings[position].ids = ids
            listings[position].freshUntil = worker.loop.now &+ Self.freshNanoseconds
        } else {
            // What was known before is better than nothing.
            listings[position].freshUntil = worker.loop.now &+ Self.failedNanoseconds
            worker.log.log(.warning, "an upstream does not list its models") { record in
                record.field("upstream", worker.upstreams[position].name)
                record.field("detail", Self.detail(result))
            }
        }
        guard !listings.contains(where: \.isFetching) else { return }
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter() }
    }

    private static func detail(_ result: ControlResult) -> String {
        switch result {
        case .answered(let status, _): "status \(status), or not a list of models"
        case .failed(_, let detail): detail
        }
    }

    /// The ids of an OpenAI model list; nil for anything else.
    static func ids(_ result: ControlResult) -> [String]? {
        guard case .answered(let status, let body) = result, status == 200 else { return nil }
        let scan = BodyScan()
        return body.withBytes { bytes in
            scan.advance(bytes, isFinal: true)
            guard scan.error == nil,
                let data = scan.tape.member("data", of: scan.tape.root, in: bytes),
                scan.tape.kind(of: data) == .array
            else { return nil }
            var ids: [String] = []
            for element in scan.tape.elements(of: data) {
                guard ids.count < ModelCatalog.listedMax,
                    let node = scan.tape.member("id", of: element, in: bytes),
                    let id = scan.tape.string(of: node, in: bytes), !id.isEmpty,
                    id.utf8.count <= idBytesMax
                else { continue }
                ids.append(id)
            }
            return ids
        }
    }
}

/// Brings one upstream's listing to where it belongs.
private final class ListingSink: ControlSink {
    private let listings: UpstreamListings
    private let position: Int

    init(listings: UpstreamListings, position: Int) {
        self.listings = listings
        self.position = position
        super.init()
    }

    override func controlEnded(_ result: ControlResult) {
        listings.fetched(position, result)
    }
}
