// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Dialects
import Log
import Loop
import Providers

/// One resource group of SAP AI Core: its token, its deployments, and where a request goes there.
///
/// A shell: `TokenMachine` decides when tokens are fetched, `SAPDeploymentTable` what is deployed.
/// All requests that need one fetch wait for the same one; another account's failure is none of
/// this one's business.
final class SAPAccount: EventHandler {
    /// How long a request waits for token and deployments.
    static let patienceNanoseconds: UInt64 = 30_000_000_000
    private static let tokenTimeout: UInt64 = 15_000_000_000
    private static let listingTimeout: UInt64 = 20_000_000_000
    /// How long a deployment that failed is left alone while there are others.
    private static let coolingNanoseconds: UInt64 = 10_000_000_000
    /// Configurations fetched at once; each tells the model of one deployment.
    private static let configurationsAtOnce = 4
    /// Models times formats that one listing sees; more are a client's inventions.
    private static let routesMax = 512
    /// More would be requests that nobody could serve anyway.
    private static let waitersMax = 16_384

    private let name: String
    private let config: SAPConfig
    private let settings: UpstreamSettings
    private let control: ControlCalls
    private let loop: EventLoop
    private let log: LogSink
    private let tokenRequest: SAPTokenRequest
    private var tokens = TokenMachine()
    private var table: SAPDeploymentTable
    private var isListing = false
    private var configurationsUnderWay: Set<String> = []
    private var listingFailure: String?
    private var waiters: [() -> Void] = []
    /// Loop time until which a deployment is left alone.
    private var cooling: [String: UInt64] = [:]
    /// Routes without their token, so that names are taken apart once per listing.
    private var routeCache: [RouteKey: SAPRouteRing] = [:]
    private var authorization = (token: Secret(""), field: OutgoingField("authorization", ""))

    init(
        name: String,
        _ config: SAPConfig,
        settings: UpstreamSettings,
        control: ControlCalls,
        loop: EventLoop,
        log: LogSink
    ) {
        self.name = name
        self.config = config
        self.settings = settings
        self.control = control
        self.loop = loop
        self.log = log
        tokenRequest = SAPTokenRequest(config)
        table = SAPDeploymentTable(
            pins: config.deployments.flatMap { pinned in
                pinned.deployments.map { .init(name: pinned.model, deploymentID: $0) }
            },
            refreshInterval: config.discoveryInterval,
            isIncluded: { model in
                let bytes = Array(model.utf8)
                return config.deployments.contains { $0.model == model }
                    || config.takes(discovered: bytes.span)
            }
        )
        super.init()
    }

    // MARK: Routes

    /// Names of the models that are deployed.
    var models: [String] { table.names }

    func route(_ question: RouteQuestion, of upstream: Upstream) -> RouteAnswer {
        if question.operation == .countTokens { return .estimate }
        let token: Secret
        switch tokens.want(now: loop.now) {
        case .use(let current):
            token = current
        case .useAndFetch(let current):
            token = current
            fetchToken()
        case .fetch:
            fetchToken()
            return .waiting
        case .wait:
            return .waiting
        case .failed(let failure, let retryAt):
            let wait = UInt32(clamping: (retryAt &- loop.now) / 1_000_000 + 1)
            return .failed(failure.message, retryAfterMilliseconds: wait)
        }
        refreshIfOld(token)
        let known = routes(question, upstream)
        guard !known.routes.isEmpty else {
            guard config.discovers, !table.isKnown else { return .unknownModel }
            if let listingFailure { return .failed(listingFailure, retryAfterMilliseconds: 1000) }
            return .waiting
        }
        guard var route = next(of: known) else {
            return .unsupported("cannot do this with the model '\(question.model)'")
        }
        if token != authorization.token {
            authorization = (token, OutgoingField("authorization", "Bearer \(token.revealed)"))
        }
        route.token = token
        route.fields = [authorization.field]
        return .route(route)
    }

    /// The routes of all deployments that may answer; an entry is nil where one cannot do it.
    private func routes(_ question: RouteQuestion, _ upstream: Upstream) -> SAPRouteRing {
        // Requests for stored responses are rare, and name what no other one does.
        guard question.pin == nil, question.stored == nil else {
            return SAPRouteRing(makeRoutes(question, upstream))
        }
        let key = RouteKey(question)
        if let known = routeCache[key] { return known }
        let made = SAPRouteRing(makeRoutes(question, upstream))
        if !made.routes.isEmpty, routeCache.count < Self.routesMax { routeCache[key] = made }
        return made
    }

    private func makeRoutes(
        _ question: RouteQuestion,
        _ upstream: Upstream
    ) -> [UpstreamRoute?] {
        deployments(question).map { route(question, $0, upstream) }
    }

    /// One of the routes, in turns, those that failed lately last.
    private func next(of ring: SAPRouteRing) -> UpstreamRoute? {
        let known = ring.routes
        let first = ring.next()
        guard known.count > 1, !cooling.isEmpty else { return known[first] }
        let now = loop.now
        for offset in 0..<known.count {
            guard let route = known[(first + offset) % known.count],
                let deployment = route.deployment
            else { continue }
            if (cooling[deployment] ?? 0) <= now { return route }
        }
        return known[first]
    }

    /// Calls `body` once when a token or a list has come, or was not to be had.
    func whenReady(_ body: @escaping () -> Void) {
        guard waiters.count < Self.waitersMax else { return }
        waiters.append(body)
    }

    /// Fetches token and deployments before a request needs them; whether they are on their way.
    @discardableResult
    func prepare() -> Bool {
        switch tokens.want(now: loop.now) {
        case .use(let token):
            refreshIfOld(token)
        case .useAndFetch(let token):
            fetchToken()
            refreshIfOld(token)
        case .fetch:
            fetchToken()
            return true
        case .wait:
            return true
        case .failed:
            return false
        }
        return isListing && !table.isKnown
    }

    /// A deployment has refused `token`.
    func refused(_ token: Secret) {
        _ = tokens.refused(token, now: loop.now)
    }

    /// A deployment has failed: others of the same model come first for a while.
    func failed(deployment: String) {
        let now = loop.now
        cooling = cooling.filter { $0.value > now }
        cooling[deployment] = now &+ Self.coolingNanoseconds
    }

    /// Whether a response with this pin may have been made here.
    func mayHold(_ pin: UInt32) -> Bool {
        deployment(pin) != nil || (config.discovers && !table.isKnown)
    }

    private func deployment(_ pin: UInt32) -> (name: String, deployment: SAPDeployment)? {
        for model in table.names {
            for deployment in table.deployments(named: model)
            where Pin.of(upstream: name, deployment: deployment.id) == pin {
                return (model, deployment)
            }
        }
        return nil
    }

    /// The deployments that may answer.
    private func deployments(_ question: RouteQuestion) -> [SAPDeployment] {
        if let pin = question.pin { return deployment(pin).map { [$0.deployment] } ?? [] }
        if config.usesOrchestration { return table.orchestration }
        let names = ModelNames.candidates(forClientName: question.model, among: table.names)
        return names.first.map { table.deployments(named: $0) } ?? []
    }

    // MARK: Tokens

    private func fetchToken() {
        var settings = settings
        settings.clientCertificatePEM = config.serviceKey.certificatePEM
        settings.clientKeyPEM = config.serviceKey.keyPEM
        var request = ControlRequest(url: tokenRequest.url, like: settings)
        request.headers = tokenRequest.fields.map { "\($0.name): \($0.value)" }
        request.body = Array(tokenRequest.body.utf8)
        request.timeout = Self.tokenTimeout
        _ = control.begin(request, ResultSink { [weak self] in self?.tokenCame($0) })
    }

    private func tokenCame(_ result: ControlResult) {
        switch result {
        case .answered(let status, let body):
            let reply = body.withBytes { SAPTokenReply.parse(status: status, body: $0) }
            switch reply {
            case .success(let reply):
                tokens.fetched(
                    reply.token,
                    lifetimeSeconds: reply.lifetimeSeconds,
                    now: loop.now
                )
            case .failure(let failure):
                tokenFailed(failure)
            }
        case .failed(let kind, _):
            tokenFailed(kind.isTimeout ? .timeout : .noConnection)
        }
        prepare()
        wakeAll()
    }

    private func tokenFailed(_ failure: TokenFailure) {
        tokens.failed(failure, now: loop.now)
        log.log(.warning, "no token for SAP AI Core") { record in
            record.field("upstream", name)
            record.field("detail", failure.message)
        }
    }

    // MARK: Deployments

    /// Lists deployments at the first request, and again when the list is old.
    private func refreshIfOld(_ token: Secret) {
        guard config.discovers, !isListing else { return }
        let isDue = !table.isKnown || loop.now >= table.refreshAt
        guard isDue, listingFailure == nil || loop.now >= table.refreshAt else { return }
        isListing = true
        listingFailure = nil
        get(SAPPath.deployments(), token) { [weak self] in self?.listCame($0, token) }
    }

    private func get(
        _ path: String,
        _ token: Secret,
        _ body: @escaping (ControlResult) -> Void
    ) {
        var request = ControlRequest(
            url: settings.connectURL.dropLast() + settings.pathPrefix + path,
            like: settings
        )
        request.headers = [
            "authorization: Bearer \(token.revealed)",
            "ai-resource-group: \(config.resourceGroup)",
            "accept: application/json",
        ]
        request.timeout = Self.listingTimeout
        _ = control.begin(request, ResultSink(body))
    }

    private func listCame(_ result: ControlResult, _ token: Secret) {
        isListing = false
        switch result {
        case .answered(let status, let body) where status == 200:
            do throws(SAPListError) {
                let list = try body.withBytes { bytes throws(SAPListError) in
                    try SAPDeployment.parseList(bytes)
                }
                changed(table.update(list, now: loop.now))
                fetchConfigurations(token)
            } catch {
                listFailed("its list of deployments cannot be read")
            }
        case .answered(let status, _):
            if status == 401 || status == 403 { refused(token) }
            listFailed("does not list its deployments (status \(status))")
        case .failed(_, let detail):
            listFailed("does not list its deployments: \(detail)")
        }
        wakeAll()
    }

    private func listFailed(_ text: String) {
        table.updateFailed(now: loop.now)
        listingFailure = text
        log.log(.warning, "no deployments of SAP AI Core") { record in
            record.field("upstream", name)
            record.field("detail", text)
        }
    }

    /// Asks for the configurations of deployments that do not say which model they run.
    private func fetchConfigurations(_ token: Secret) {
        let wanted = table.configurationsWanted.filter { !configurationsUnderWay.contains($0) }
        for id in wanted.prefix(Self.configurationsAtOnce - configurationsUnderWay.count) {
            configurationsUnderWay.insert(id)
            get(SAPPath.configuration(id), token) { [weak self] result in
                self?.configurationCame(id, result, token)
            }
        }
    }

    private func configurationCame(_ id: String, _ result: ControlResult, _ token: Secret) {
        configurationsUnderWay.remove(id)
        guard case .answered(let status, let body) = result, status == 200 else { return }
        do throws(SAPListError) {
            let read = try body.withBytes { bytes throws(SAPListError) in
                try SAPDeployment.parseConfiguration(bytes)
            }
            changed(table.configurationRead(id, model: read.model, version: read.version))
            fetchConfigurations(token)
        } catch {
            // A deployment of something that is no foundation model.
            return
        }
        wakeAll()
    }

    private func changed(_ change: SAPDeploymentTable.Change) {
        routeCache.removeAll()
        for mismatch in table.mismatches where !change.isEmpty {
            log.log(.warning, "a deployment runs another model than its name says") { record in
                record.field("upstream", name)
                record.field("detail", mismatch.message)
            }
        }
        for pin in table.missingPins where !change.isEmpty {
            log.log(.warning, "a configured deployment does not run") { record in
                record.field("upstream", name)
                record.field("model", pin.name)
                record.field("deployment", pin.deploymentID)
            }
        }
    }

    private func wakeAll() {
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter() }
    }

    // MARK: Interfaces

    /// Where a deployment wants the request, and in which format; nil for what it cannot do.
    private func route(
        _ question: RouteQuestion,
        _ deployment: SAPDeployment,
        _ upstream: Upstream
    ) -> UpstreamRoute? {
        let model = deployment.model ?? question.model
        let family = deployment.family ?? ModelFamily(model: model)
        guard let choice = SAPInterface(question, family, model) else { return nil }
        let isResponses = choice.format == .responses
        let place = SAPPath.Deployment(
            id: deployment.id,
            family: family,
            model: model,
            apiVersion: isResponses ? config.responsesAPIVersion : config.apiVersion
        )
        guard
            let path = SAPPath.target(place, choice.operation, isStream: question.isStream)
        else { return nil }
        let plan = upstream.plan(choice.format, choice.host, question, model: model)
        var route = UpstreamRoute(plan, .made(path))
        route.deployment = deployment.id
        if let embedding = choice.embedding { route.shape = .embedding(embedding) }
        route.isOrchestration = family == .orchestration && question.operation == .generate
        if isResponses { route.pin = Pin.of(upstream: name, deployment: deployment.id) }
        return route
    }
}

/// What a route depends on, besides the deployments.
private struct RouteKey: Hashable {
    let operation: UInt8
    let client: WireFormat
    let model: String
    let isStream: Bool
    let api: TargetAPI?
    let maxTokensDefault: Int?

    init(_ question: RouteQuestion) {
        switch question.operation {
        case .generate: operation = 0
        case .compact: operation = 1
        case .embed: operation = 2
        case .countTokens: operation = 3
        case .stored: operation = 4
        }
        client = question.client
        model = question.model
        isStream = question.isStream
        api = question.api
        maxTokensDefault = question.maxTokensDefault
    }
}

/// Brings the result of a control call to a closure.
private final class ResultSink: ControlSink {
    private let body: (ControlResult) -> Void

    init(_ body: @escaping (ControlResult) -> Void) {
        self.body = body
        super.init()
    }

    override func controlEnded(_ result: ControlResult) {
        body(result)
    }
}

extension SAPTokenRequest {
    /// How the service key of a configuration proves who asks.
    init(_ config: SAPConfig) {
        let proof: Proof
        if let secret = config.serviceKey.clientSecret {
            switch config.tokenRequest {
            case .basic: proof = .basic(secret)
            case .form: proof = .form(secret)
            case .query: proof = .query(secret)
            }
        } else {
            proof = .certificate
        }
        self.init(
            url: config.serviceKey.tokenURL,
            clientID: config.serviceKey.clientID,
            proof: proof
        )
    }
}
