// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Dialects
import HTTP
import JSON
import Policy
import Providers

/// Who may answer a request, and what it is called there.
struct TargetChoice {
    /// Place in the configuration.
    let upstream: Int
    let model: String
    let api: TargetAPI?
    let weight: UInt16
    /// 0 for the model's own targets, then one more for each fallback model.
    let tier: UInt8
    let isStrict: Bool
    let maxTokens: Int?
}

/// A client's request for a model, checked, as all of its attempts need it.
///
/// A class: several parts of an exchange hold it, and as a value each would copy its members.
final class ModelRequest {
    let endpoint: Endpoint
    let operation: ModelOperation
    /// What the client speaks.
    let format: WireFormat
    let isStream: Bool
    /// Whether a chat client asked for the usage chunk of a stream.
    let wantsUsage: Bool
    /// Whether a Gemini client wants one JSON array instead of events.
    let writesArray: Bool
    /// The model as the client called it.
    let model: String
    let balance: Policy.Balance
    let choices: [TargetChoice]
    /// The deployment that an earlier response names.
    let pin: UInt32?
    /// A response to fetch or to delete instead of a body to send.
    let stored: StoredResponse?

    /// Whether the body has to be read even by an upstream of the same format.
    var isPlain: Bool { endpoint == .plainChat }

    init(
        endpoint: Endpoint,
        facts: RequestFacts,
        isStream: Bool,
        writesArray: Bool,
        model: String,
        balance: Policy.Balance,
        choices: [TargetChoice],
        pin: UInt32?
    ) {
        self.endpoint = endpoint
        operation = endpoint.operation
        format = endpoint.format
        self.isStream = isStream
        wantsUsage = facts.wantsUsage
        self.writesArray = writesArray
        self.model = model
        self.balance = balance
        self.choices = choices
        self.pin = pin
        stored = nil
    }

    /// A request for a stored response.
    init(stored: StoredResponse, choices: [TargetChoice], pin: UInt32) {
        endpoint = .response
        operation = .stored(stored)
        format = .responses
        isStream = stored.isStream
        wantsUsage = true
        writesArray = false
        model = ""
        balance = .ordered
        self.choices = choices
        self.pin = pin
        self.stored = stored
    }
}

/// One stored response of an upstream.
struct StoredResponse: Equatable {
    /// As the upstream calls it.
    let id: String
    /// What the client wrote behind `?`.
    let query: String
    let isDelete: Bool

    var method: HTTPMethod { isDelete ? .delete : .get }

    /// Whether the client wants the events of the response again.
    var isStream: Bool { query.split(separator: "&").contains("stream=true") }

    /// What comes behind `/responses/`.
    var target: String {
        let id = PercentEncoding.encode(id)
        return query.isEmpty ? id : "\(id)?\(query)"
    }
}

extension Endpoint {
    var operation: ModelOperation {
        switch self {
        case .embeddings, .gemini(.embed), .gemini(.batchEmbed): .embed
        case .countTokens, .gemini(.countTokens): .countTokens
        case .responsesCompact: .compact
        case .chatCompletions, .plainChat, .completions, .responses, .response, .messages,
            .gemini(.generate), .gemini(.stream), .models, .model, .geminiModels, .geminiModel,
            .health:
            .generate
        }
    }
}

/// Finds the targets of a model.
enum TargetChoices {
    /// Fallback models that are looked at; the configuration allows no longer chains to be useful.
    private static let tiersMax = 8

    /// The targets of `route` in order, those of its fallback models behind its own.
    static func find(
        _ route: ModelRoute,
        _ name: Span<UInt8>,
        in models: ModelTable
    ) -> (choices: [TargetChoice], balance: Policy.Balance) {
        let range = models.nameRange(of: route, in: name)
        let clientName = name.extracting(range)
        switch route {
        case .direct(let upstream, _):
            let choice = TargetChoice(
                upstream: upstream,
                model: String(copying: clientName),
                api: nil,
                weight: 1,
                tier: 0,
                isStrict: false,
                maxTokens: nil
            )
            return ([choice], .ordered)
        case .entry(let index):
            let entry = models.entries[index]
            var choices: [TargetChoice] = []
            append(entry, String(copying: clientName), tier: 0, to: &choices)
            for (number, fallback) in entry.fallbacks.prefix(tiersMax).enumerated() {
                let bytes = Array(fallback.utf8)
                guard let next = models.route(forModel: bytes.span) else { continue }
                let tier = UInt8(number + 1)
                let nextName = models.nameRange(of: next, in: bytes.span)
                let text = String(copying: bytes.span.extracting(nextName))
                switch next {
                case .entry(let other):
                    append(models.entries[other], text, tier: tier, to: &choices)
                case .direct(let upstream, _):
                    choices.append(
                        TargetChoice(
                            upstream: upstream,
                            model: text,
                            api: nil,
                            weight: 1,
                            tier: tier,
                            isStrict: entry.isStrict,
                            maxTokens: entry.maxTokens
                        )
                    )
                }
            }
            return (choices, entry.policyBalance)
        }
    }

    private static func append(
        _ entry: ModelEntry,
        _ name: String,
        tier: UInt8,
        to choices: inout [TargetChoice]
    ) {
        for target in entry.targets {
            choices.append(
                TargetChoice(
                    upstream: target.upstream,
                    model: target.model ?? name,
                    api: target.api,
                    weight: UInt16(clamping: target.weight),
                    tier: tier,
                    isStrict: entry.isStrict,
                    maxTokens: entry.maxTokens
                )
            )
        }
    }
}
