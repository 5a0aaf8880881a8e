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
            let position = upstream.position
            if case .sap(let account) = upstream.service {
                waitFor(account, position)
                continue
            }
            let isFresh = worker.loop.now < listings[position].freshUntil
            guard !isFresh, !listings[position].isFetching,
                let request = Self.request(upstream)
            else { continue }
            listings[position].isFetching = true
            worker.control.begin(request, ListingSink(listings: self, position: position))
        }
        guard listings.contains(where: \.isFetching) else {
            body()
            return
        }
        waiters.append(body)
    }

    /// Waits for an account that has not listed its deployments so far.
    private func waitFor(_ account: SAPAccount, _ position: Int) {
        guard !listings[position].isFetching, account.prepare() else { return }
        listings[position].isFetching = true
        account.whenReady { [weak self] in
            guard let self else { return }
            listings[position].isFetching = false
            waitFor(account, position)
            callWaiters()
        }
    }

    /// Ids of an upstream's models; empty when nobody knows.
    func models(of upstream: Upstream) -> [String] {
        switch upstream.service {
        case .demo: DemoRequest.Behavior.names
        case .sap(let account): account.models
        case .openAI, .azure, .anthropic, .gemini, .bedrock: listings[upstream.position].ids
        }
    }

    /// Asks an upstream for its models; nil where it has no list, or keeps its own.
    ///
    /// Azure lists what could be deployed, not what is, and Bedrock lists on another host.
    private static func request(_ upstream: Upstream) -> ControlRequest? {
        let path: String
        switch upstream.service {
        case .openAI: path = "/models"
        case .anthropic: path = "/v1/models?limit=1000"
        case .gemini(let version): path = "/\(version)/models?pageSize=1000"
        case .azure, .bedrock, .sap, .demo: return nil
        }
        guard let server = upstream.server else { return nil }
        let settings = server.settings
        var request = ControlRequest(
            url: settings.connectURL.dropLast() + settings.pathPrefix + path,
            like: settings
        )
        request.headers = server.configuredFields.map { "\($0.name): \($0.value)" }
        if case .anthropic(let version) = upstream.service {
            request.headers.append("anthropic-version: \(version)")
        }
        request.timeout = timeout
        return request
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
        callWaiters()
    }

    private func callWaiters() {
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

    /// The ids of a model list in OpenAI's, Anthropic's or Google's shape; nil for anything else.
    static func ids(_ result: ControlResult) -> [String]? {
        guard case .answered(let status, let body) = result, status == 200 else { return nil }
        let scan = BodyScan()
        return body.withBytes { bytes in
            scan.advance(bytes, isFinal: true)
            let root = scan.tape.root
            guard scan.error == nil,
                let data = scan.tape.member("data", of: root, in: bytes)
                    ?? scan.tape.member("models", of: root, in: bytes),
                scan.tape.kind(of: data) == .array
            else { return nil }
            var ids: [String] = []
            for element in scan.tape.elements(of: data) {
                guard ids.count < ModelCatalog.listedMax,
                    let node = scan.tape.member("id", of: element, in: bytes)
                        ?? scan.tape.member("name", of: element, in: bytes),
                    let id = scan.tape.string(of: node, in: bytes), !id.isEmpty,
                    id.utf8.count <= idBytesMax
                else { continue }
                // Google says `models/NAME`.
                ids.append(id.hasPrefix("models/") ? String(id.dropFirst(7)) : id)
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
