// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support
import Testing

/// What a client speaks: a part of the matrix.
enum ClientDialect: String, CaseIterable, CustomTestStringConvertible {
    case chat = "OpenAI chat completions"
    case responses = "OpenAI Responses"
    case messages = "Anthropic Messages"
    case gemini = "Gemini"

    var testDescription: String { rawValue }

    var format: WireFormat {
        switch self {
        case .chat: .chat
        case .responses: .responses
        case .messages: .messages
        case .gemini: .gemini
        }
    }

    /// The request as a client sends it, head and body.
    func request(_ scenario: Scenario, model: String, isStream: Bool) -> String {
        let asked = scenario.asked
        let body: Wire
        var path: String
        var fields = ""
        switch self {
        case .chat:
            path = "/v1/chat/completions"
            body = ChatForm.request(
                asked,
                model: model,
                isStream: isStream,
                wantsUsage: scenario.wantsUsage
            )
        case .responses:
            path = "/v1/responses"
            body = ResponsesForm.request(asked, model: model, isStream: isStream)
        case .messages:
            path = "/v1/messages"
            fields = "anthropic-version: 2023-06-01\r\n"
            body = MessagesForm.request(asked, model: model, isStream: isStream)
        case .gemini:
            path = "/v1beta/models/\(model):"
            path += isStream ? "streamGenerateContent?alt=sse" : "generateContent"
            body = GeminiForm.request(asked)
        }
        fields += "Content-Type: application/json\r\n"
        return TestRequest.post(path, body.text(scenario.style), fields)
    }

    /// What a whole answer tells.
    func told(_ body: JSONValue, _ problems: inout [String]) -> Told {
        switch self {
        case .chat: ChatForm.told(in: body, &problems)
        case .responses: ResponsesForm.told(in: body, &problems)
        case .messages: MessagesForm.told(in: body, &problems)
        case .gemini: GeminiForm.told(in: body, &problems)
        }
    }

    /// What a stream tells.
    func told(stream: String, wantsUsage: Bool, _ problems: inout [String]) -> Told {
        let events = ClientEvent.all(in: stream, &problems)
        switch self {
        case .chat:
            return ChatForm.told(events: events, wantsUsage: wantsUsage, &problems)
        case .responses: return ResponsesForm.told(events: events, &problems)
        case .messages: return MessagesForm.told(events: events, &problems)
        case .gemini: return GeminiForm.told(events: events, &problems)
        }
    }
}

/// One way to reach a model: a row of the matrix.
struct UpstreamRow: CustomTestStringConvertible {
    /// As the documentation calls it.
    let title: String
    /// The model's name for clients.
    let name: String
    let upstream: String
    let model: String
    /// The model that can think, where it is another one.
    var thinker: String?
    /// The configured `api` of the target.
    var api: String?
    /// What the upstream speaks to a client of another dialect.
    let format: WireFormat
    /// Whether a client of Responses is served in its own dialect.
    var hasResponses = false

    var testDescription: String { title }

    func format(for client: ClientDialect) -> WireFormat {
        client == .responses && hasResponses ? .responses : format
    }

    /// The client's name of the model for a scenario.
    func name(_ scenario: Scenario) -> String { scenario.asked.thinks ? name + "-think" : name }

    func model(_ scenario: Scenario) -> String {
        scenario.asked.thinks ? thinker ?? model : model
    }

    /// Entries of the configuration.
    var entries: String {
        [(name, model), (name + "-think", thinker ?? model)].map { name, model in
            let api = api.map { #", "api": "\#($0)""# } ?? ""
            return
                #""\#(name)": {"targets": [{"upstream": "\#(upstream)", "model": "\#(model)"\#(api)}]}"#
        }.joined(separator: ",\n")
    }

    static let all: [UpstreamRow] = [
        UpstreamRow(
            title: "SAP AI Core, GPT",
            name: "sap-gpt",
            upstream: "sap",
            model: "gpt-4.1",
            thinker: "gpt-5.4",
            format: .chat,
            hasResponses: true
        ),
        UpstreamRow(
            title: "SAP AI Core, Claude",
            name: "sap-claude",
            upstream: "sap",
            model: "anthropic--claude-4.5-sonnet",
            format: .messages
        ),
        UpstreamRow(
            title: "SAP AI Core, Claude by Converse",
            name: "sap-converse",
            upstream: "sap",
            model: "anthropic--claude-4.5-sonnet",
            api: "converse",
            format: .converse
        ),
        UpstreamRow(
            title: "SAP AI Core, Gemini",
            name: "sap-gemini",
            upstream: "sap",
            model: "gemini-2.5-pro",
            format: .gemini
        ),
        UpstreamRow(
            title: "OpenAI",
            name: "openai",
            upstream: "openai",
            model: "gpt-4.1",
            thinker: "gpt-5.4",
            format: .chat,
            hasResponses: true
        ),
        UpstreamRow(
            title: "OpenAI by Responses",
            name: "openai-responses",
            upstream: "openai",
            model: "gpt-4.1",
            thinker: "gpt-5.4",
            api: "responses",
            format: .responses,
            hasResponses: true
        ),
        UpstreamRow(
            title: "OpenAI-compatible servers",
            name: "plain",
            upstream: "plain",
            model: "qwen3",
            format: .chat
        ),
        UpstreamRow(
            title: "Azure OpenAI",
            name: "azure",
            upstream: "azure",
            model: "gpt-4.1",
            thinker: "gpt-5.4",
            format: .chat,
            hasResponses: true
        ),
        UpstreamRow(
            title: "Anthropic",
            name: "anthropic",
            upstream: "anthropic",
            model: "claude-sonnet-4-5",
            format: .messages
        ),
        UpstreamRow(
            title: "Gemini",
            name: "gemini",
            upstream: "gemini",
            model: "gemini-2.5-pro",
            format: .gemini
        ),
        UpstreamRow(
            title: "Bedrock, Claude",
            name: "bedrock",
            upstream: "bedrock",
            model: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            format: .messages
        ),
        UpstreamRow(
            title: "Bedrock by Converse",
            name: "bedrock-converse",
            upstream: "bedrock",
            model: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            api: "converse",
            format: .converse
        ),
    ]
}
