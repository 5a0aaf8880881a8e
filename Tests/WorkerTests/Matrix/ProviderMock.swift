// SPDX-License-Identifier: Apache-2.0
import Dialects
import Loop
import Support

@testable import Worker

/// All providers behind one address: each path answers in its vendor's wire format, with one
/// scripted meaning.
final class ProviderMock {
    static let token = "tok-1"

    let server: ScriptedServer
    /// What all models say.
    var told = Told()
    /// How vendors write text.
    var style = Wire.Style.plain
    /// Whether Gemini streams are one JSON array, as plain Vertex writes them.
    var writesArrays = false
    /// Answers instead of the meaning; nil leaves it to that.
    var override: (ProviderRequest) -> [[UInt8]]? = { _ in nil }
    /// Access tokens in the order in which they are given; the last one stays.
    var tokens = [ProviderMock.token]
    private(set) var requests: [ProviderRequest] = []

    init(on loop: EventLoop) throws {
        server = try ScriptedServer(on: loop) { _ in [.request, .respond, .again] }
        server.respond = { [unowned self] in answer(ProviderRequest($0)) }
    }

    /// Requests for models.
    var modelRequests: [ProviderRequest] {
        requests.filter { if case .model = $0.kind { true } else { false } }
    }

    func count(_ kind: ProviderRequest.Kind) -> Int { requests.count { $0.kind == kind } }

    func forget() { requests = [] }

    // MARK: Configuration

    /// A service key whose token and deployments are here.
    var serviceKey: String {
        """
        {"clientid": "sb-1!b1|aicore!b1", "clientsecret": "s$3=",
        "url": "http://127.0.0.1:\(server.port)", "identityzone": "z", "identityzoneid": "zid",
        "serviceurls": {"AI_API_URL": "http://127.0.0.1:\(server.port)"}}
        """
    }

    /// One upstream of every kind.
    var upstreams: String {
        let address = "http://127.0.0.1:\(server.port)"
        return """
            "openai": {"kind": "openai", "base_url": "\(address)/v1", "api_key": "key-openai",
                "responses": "native"},
            "plain": {"kind": "openai", "base_url": "\(address)/plain/v1",
                "api_key": "key-plain"},
            "azure": {"kind": "azure-openai", "base_url": "\(address)", "api_key": "key-azure"},
            "anthropic": {"kind": "anthropic", "base_url": "\(address)",
                "api_key": "key-anthropic"},
            "gemini": {"kind": "gemini", "base_url": "\(address)", "api_key": "key-gemini"},
            "bedrock": {"kind": "bedrock", "base_url": "\(address)", "region": "eu-central-1",
                "access_key_id": "AKID", "secret_access_key": "secret"},
            "sap": {"kind": "sap-ai-core", "service_key": \(serviceKey)}
            """
    }

    // MARK: Deployments

    static let deployments: [(id: String, model: String, executable: String)] = [
        ("d0a1b2c3d4e5f601", "gpt-4.1", "azure-openai"),
        ("d0a1b2c3d4e5f602", "gpt-5.4", "azure-openai"),
        ("d0a1b2c3d4e5f603", "anthropic--claude-4.5-sonnet", "aws-bedrock"),
        ("d0a1b2c3d4e5f604", "gemini-2.5-pro", "gcp-vertexai"),
        ("d0a1b2c3d4e5f605", "gpt-5.3-codex", "azure-openai"),
        ("d0a1b2c3d4e5f606", "anthropic--claude-3-opus", "aws-bedrock"),
        ("d0a1b2c3d4e5f607", "text-embedding-3-small", "azure-openai"),
        ("d0a1b2c3d4e5f608", "o3-mini", "azure-openai"),
        // One model twice.
        ("d0a1b2c3d4e5f611", "gpt-4o", "azure-openai"),
        ("d0a1b2c3d4e5f612", "gpt-4o", "azure-openai"),
        ("d0a1b2c3d4e5f621", "anthropic--claude-4-sonnet", "aws-bedrock"),
        ("d0a1b2c3d4e5f622", "anthropic--claude-4-sonnet", "aws-bedrock"),
    ]

    private var list: Wire {
        let resources: [Wire] = Self.deployments.map { id, model, executable in
            let details: Wire = ["model": ["name": .string(model), "version": "latest"]]
            return [
                "id": .string(id), "scenarioId": "foundation-models",
                "executableId": .string(executable), "status": "RUNNING",
                "configurationId": "c1", "createdAt": "2026-03-01T08:00:00Z",
                "deploymentUrl": .string("https://x/v2/inference/deployments/\(id)"),
                "details": ["resources": ["backendDetails": details, "backend_details": details]],
            ]
        }
        return ["count": .int(resources.count), "resources": .array(resources)]
    }

    // MARK: Answers

    static func json(_ status: Int, _ body: String, _ fields: String = "") -> [[UInt8]] {
        let head =
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\(fields)\r\n"
        return [Array((head + body).utf8)]
    }

    /// A stream in `parts`, each of which is sent on its own.
    static func stream(_ parts: [[UInt8]], type: String = "text/event-stream") -> [[UInt8]] {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nTransfer-Encoding: chunked\r\n\r\n"
        var pieces = parts.map { part in
            Array("\(String(part.count, radix: 16))\r\n".utf8) + part + Array("\r\n".utf8)
        }
        pieces.insert(Array(head.utf8), at: 0)
        pieces.append(Array("0\r\n\r\n".utf8))
        return pieces
    }

    private func answer(_ request: ProviderRequest) -> [[UInt8]]? {
        requests.append(request)
        if let answer = override(request) { return answer }
        switch request.kind {
        case .token:
            let token = tokens.count > 1 ? tokens.removeFirst() : tokens[0]
            return Self.json(
                200,
                #"{"access_token":"\#(token)","token_type":"bearer","expires_in":43199}"#
            )
        case .deployments: return Self.json(200, list.text())
        case .embeddings:
            return Self.json(
                200,
                #"{"object":"list","model":"m","data":[{"object":"embedding","index":0,"#
                    + #""embedding":"AACAPwAAAMA="}],"usage":{"prompt_tokens":4,"#
                    + #""total_tokens":4}}"#
            )
        case .stored, .unknown:
            return Self.json(404, #"{"error":{"message":"no such path","code":"404"}}"#)
        case .model(let format):
            guard request.problems.isEmpty else {
                let problems = Wire.string(request.problems.joined(separator: "; "))
                return Self.json(400, #"{"error":{"message":\#(problems.text())}}"#)
            }
            let manner = manner(for: request, format)
            guard request.isStream else {
                return Self.json(200, whole(format, manner).text(style))
            }
            let isBinary = request.path.hasPrefix("/model/")
            let type = isBinary ? "application/vnd.amazon.eventstream" : "text/event-stream"
            let isArray = format == .gemini && writesArrays
            let events = Self.events(format, told, manner, request, isArray: isArray)
            return Self.stream(
                Self.grouped(events),
                type: isArray ? "application/json" : type
            )
        }
    }

    /// Events as packets bring them: the first alone, then some together.
    private static func grouped(_ events: [[UInt8]]) -> [[UInt8]] {
        var groups: [[UInt8]] = []
        var rest = events[...]
        var size = 1
        while !rest.isEmpty {
            groups.append(rest.prefix(size).flatMap { $0 })
            rest = rest.dropFirst(size)
            size = size == 1 ? 3 : 1
        }
        return groups
    }

    private func manner(for request: ProviderRequest, _ format: WireFormat) -> AnswerManner {
        var manner = AnswerManner()
        manner.style = style
        let body = request.body
        switch format {
        case .chat, .completions:
            manner.isAzure = request.path.hasPrefix("/v2/") || request.path.hasPrefix("/openai/")
            manner.tellsThoughts = request.path.hasPrefix("/plain/")
            manner.tellsUsage = body["stream_options"]?["include_usage"]?.bool == true
        case .responses: manner.tellsThoughts = body["reasoning"]?["summary"] != nil
        case .messages: manner.tellsThoughts = body["thinking"] != nil
        case .gemini:
            manner.tellsThoughts =
                body["generationConfig"]?["thinkingConfig"]?["includeThoughts"]?.bool == true
        case .converse:
            manner.tellsThoughts = body["additionalModelRequestFields"]?["thinking"] != nil
        }
        return manner
    }

    private func whole(_ format: WireFormat, _ manner: AnswerManner) -> Wire {
        switch format {
        case .chat, .completions: ChatForm.answer(told, manner)
        case .responses: ResponsesForm.answer(told, manner)
        case .messages: MessagesForm.answer(told, manner)
        case .gemini: GeminiForm.answer(told, manner)
        case .converse: ConverseForm.answer(told, manner)
        }
    }

    /// The bytes of each event of a stream, as the provider of `request` frames it.
    private static func events(
        _ format: WireFormat,
        _ told: Told,
        _ manner: AnswerManner,
        _ request: ProviderRequest,
        isArray: Bool
    ) -> [[UInt8]] {
        let framing: ProviderFraming =
            request.path.hasPrefix("/model/")
            ? .amazon : isArray ? .array : request.path.hasPrefix("/v2/") ? .bare : .named
        return framing.events(format, told, manner)
    }
}

/// How a provider frames the events of a stream.
enum ProviderFraming {
    /// Server-sent events, with their names where the vendor has some.
    case named
    /// Server-sent events with data alone, as SAP relays them.
    case bare
    /// Amazon's binary messages.
    case amazon
    /// One JSON array.
    case array

    func events(_ format: WireFormat, _ told: Told, _ manner: AnswerManner) -> [[UInt8]] {
        let data: [String]
        switch format {
        case .chat, .completions: data = ChatForm.stream(told, manner)
        case .responses: data = ResponsesForm.stream(told, manner)
        case .messages: data = MessagesForm.stream(told, manner)
        case .gemini: data = GeminiForm.stream(told, manner)
        case .converse:
            return ConverseForm.stream(told, manner).map { name, payload in
                guard self != .amazon else {
                    return AmazonFrames.event(name, payload.text(manner.style))
                }
                return Array("data: \(Wire.object([(name, payload)]).text(.python))\n\n".utf8)
            }
        }
        switch self {
        case .amazon: return data.map { AmazonFrames.chunk($0) }
        case .array:
            return data.enumerated().map { index, chunk in
                let isLast = index == data.count - 1
                return Array(((index == 0 ? "[" : ",\n") + chunk + (isLast ? "]" : "")).utf8)
            }
        case .bare, .named:
            let hasNames = self == .named && (format == .messages || format == .responses)
            // SAP relays the names of Responses' events.
            let hasNamesAnyway = format == .responses
            return data.map { event in
                guard hasNames || hasNamesAnyway, let type = Self.type(of: event) else {
                    return Array("data: \(event)\n\n".utf8)
                }
                return Array("event: \(type)\ndata: \(event)\n\n".utf8)
            }
        }
    }

    /// The `type` of an event, which is its first member.
    private static func type(of event: String) -> String? {
        guard event.hasPrefix(#"{"type":""#) else { return nil }
        return event.dropFirst(9).split(separator: "\"", maxSplits: 1).first.map { String($0) }
    }
}
