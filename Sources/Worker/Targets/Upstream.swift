// SPDX-License-Identifier: Apache-2.0
import Dialects
import Metrics

/// One configured upstream as the exchange sees it.
final class Upstream {
    let name: String
    /// Place in the configuration.
    let position: Int
    /// The same as a metric label.
    let index: UpstreamIndex
    let service: UpstreamService
    /// How it is reached; nil for the model inside of this worker.
    let server: UpstreamServer?
    /// Calls of this worker that are under way.
    var calls: UInt32 = 0

    /// Rules by format and model, so that names are taken apart once.
    private var rules: [RulesKey: ModelRules] = [:]
    /// More models than this are a client's inventions.
    private static let rulesMax = 256

    private struct RulesKey: Hashable {
        let format: WireFormat
        let host: ProviderHost
        let model: String
    }

    init(name: String, position: Int, service: UpstreamService, server: UpstreamServer?) {
        self.name = name
        self.position = position
        self.service = service
        self.server = server
        index = UpstreamIndex(position: position) ?? .none
    }

    var isDemo: Bool { server == nil }

    /// Whether clients may read its errors as they are.
    ///
    /// Those behind SAP AI Core and Bedrock tell of accounts and deployments, in shapes of their own.
    var showsItsErrors: Bool {
        switch service {
        case .openAI, .azure, .anthropic, .gemini, .demo: true
        case .bedrock, .sap: false
        }
    }

    func begin(
        _ request: UpstreamRequest,
        _ sink: UpstreamSink,
        _ worker: Worker
    ) -> Attempt {
        guard let server else { return .demo(DemoCall(request, sink, worker.loop)) }
        return .lane(worker.lane.begin(upstream: server.lane, request, sink))
    }

    /// How a request has to look for `model`.
    func plan(
        _ format: WireFormat,
        _ host: ProviderHost,
        _ question: RouteQuestion,
        model: String
    ) -> RequestPlan {
        let key = RulesKey(format: format, host: host, model: model)
        let known = rules[key] ?? ModelRules(format: format, host: host, model: model)
        if rules.count < Self.rulesMax { rules[key] = known }
        var plan = RequestPlan(
            format: format,
            host: host,
            model: model,
            isStream: question.isStream,
            rules: known
        )
        plan.maxTokensDefault = question.maxTokensDefault
        plan.isCompaction = question.operation == .compact
        return plan
    }
}

/// One try to get an answer, wherever it runs.
enum Attempt {
    case lane(UpstreamCall)
    case demo(DemoCall)
    /// Several calls that make one answer, which is no stream and not paused.
    case batch(EmbeddingFanOut)

    func pause() {
        switch self {
        case .lane(let call): call.pause()
        case .demo(let call): call.pause()
        case .batch: break
        }
    }

    func resume() {
        switch self {
        case .lane(let call): call.resume()
        case .demo(let call): call.resume()
        case .batch: break
        }
    }

    func cancel() {
        switch self {
        case .lane(let call): call.cancel()
        case .demo(let call): call.cancel()
        case .batch(let fanOut): fanOut.cancel()
        }
    }
}
