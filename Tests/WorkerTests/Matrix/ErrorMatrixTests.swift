// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

@testable import Worker

/// What an upstream's refusals become: for each client, whoever refused.
@Suite("Errors of every upstream in every dialect")
struct ErrorMatrixTests {
    struct Row: CustomTestStringConvertible {
        /// What the upstream answers.
        let status: Int
        /// What clients get, all but Anthropic's where that is another one.
        let client: Int
        var anthropic: Int?
        let openAIType: String
        let anthropicType: String
        let geminiStatus: String
        var testDescription: String { "\(status)" }
    }

    static let rows: [Row] = [
        Row(
            status: 400,
            client: 400,
            openAIType: "invalid_request_error",
            anthropicType: "invalid_request_error",
            geminiStatus: "INVALID_ARGUMENT"
        ),
        Row(
            status: 401,
            client: 502,
            openAIType: "upstream_error",
            anthropicType: "api_error",
            geminiStatus: "UNAVAILABLE"
        ),
        Row(
            status: 403,
            client: 502,
            openAIType: "upstream_error",
            anthropicType: "api_error",
            geminiStatus: "UNAVAILABLE"
        ),
        Row(
            status: 413,
            client: 413,
            openAIType: "invalid_request_error",
            anthropicType: "request_too_large",
            geminiStatus: "INVALID_ARGUMENT"
        ),
        Row(
            status: 429,
            client: 429,
            openAIType: "rate_limit_error",
            anthropicType: "rate_limit_error",
            geminiStatus: "RESOURCE_EXHAUSTED"
        ),
        Row(
            status: 500,
            client: 502,
            openAIType: "upstream_error",
            anthropicType: "api_error",
            geminiStatus: "UNAVAILABLE"
        ),
        Row(
            status: 503,
            client: 503,
            anthropic: 529,
            openAIType: "upstream_error",
            anthropicType: "overloaded_error",
            geminiStatus: "UNAVAILABLE"
        ),
        Row(
            status: 529,
            client: 503,
            anthropic: 529,
            openAIType: "upstream_error",
            anthropicType: "overloaded_error",
            geminiStatus: "UNAVAILABLE"
        ),
    ]

    /// As each vendor writes it.
    private static func body(_ upstream: String, _ status: Int) -> String {
        switch upstream {
        case "anthropic":
            #"{"type":"error","error":{"type":"some_error","message":"told so"},"request_id":"r"}"#
        case "gemini", "sap-gemini":
            #"{"error":{"code":\#(status),"message":"told so","status":"SOME"}}"#
        case "bedrock", "sap-claude": #"{"message":"told so"}"#
        default:
            #"{"error":{"message":"told so","type":"some","param":null,"code":null}}"#
        }
    }

    @Test("keep status, kind and message", arguments: rows)
    func keep(_ row: Row) throws {
        let models = UpstreamRow.all.map(\.entries).joined(separator: ",\n")
        let gateway = try MockGateway(#""models": {\#(models)}, \#(MockGateway.quick)"#)
        let scenario = Scenario(
            name: "hi",
            asked: Asked(turns: [.init(isUser: true, parts: [.text("hi")])]),
            told: Told()
        )
        for upstream in UpstreamRow.all {
            gateway.mock.override = { request in
                guard case .model = request.kind else { return nil }
                return ProviderMock.json(
                    row.status,
                    Self.body(upstream.name, row.status),
                    row.status == 429 ? "Retry-After: 77\r\n" : ""
                )
            }
            for client in ClientDialect.allCases {
                for isStream in [false, true] {
                    let answer = try gateway.ask(
                        client.request(scenario, model: upstream.name, isStream: isStream)
                    )
                    Self.judge(answer, row, client, upstream)
                }
            }
        }
    }

    private static func judge(
        _ answer: TestAnswer,
        _ row: Row,
        _ client: ClientDialect,
        _ upstream: UpstreamRow
    ) {
        var problems: [String] = []
        // An error in the client's own shape may go on as it is.
        let isKept = answer.body == Self.body(upstream.name, row.status)
        let status = client == .messages ? row.anthropic ?? row.client : row.client
        problems.check(
            answer.status == status || (isKept && answer.status == row.status),
            "status \(answer.status), not \(status)"
        )
        problems.check(
            !isKept || (row.status != 401 && row.status != 403),
            "an error about our key"
        )
        problems.check(
            answer["content-type"]?.hasPrefix("application/json") == true,
            "the content type"
        )
        let wait = answer["retry-after"]
        problems.check(row.status != 429 || wait == "77", "retry-after: \(wait ?? "none")")
        problems.check(row.status >= 429 || wait == nil, "retry-after: \(wait ?? "none")")
        let json = problems.json(answer.body)
        let error = json["error"] ?? .null
        if row.client != 502 {
            problems.check(error["message"]?.string?.contains("told so") == true, "the message")
        }
        if !isKept {
            switch client {
            case .chat, .responses:
                problems.check(error["type"]?.string == row.openAIType, "the type")
                let names: Set<String> = ["message", "type", "param", "code"]
                problems.check(error.names.isSuperset(of: names), "the members")
            case .messages:
                problems.check(json["type"]?.string == "error", "no error")
                problems.check(error["type"]?.string == row.anthropicType, "the type")
            case .gemini:
                problems.check(error["code"]?.int == status, "the code")
                problems.check(error["status"]?.string == row.geminiStatus, "the status")
            }
        }
        #expect(
            problems.isEmpty,
            "\(client.rawValue) -> \(upstream.title), \(row.status): \(answer.body.prefix(300))"
        )
    }

    @Test("a Gemini stream that is one array is read as well", arguments: ClientDialect.allCases)
    func arrays(_ client: ClientDialect) throws {
        let gateway = try MockGateway()
        gateway.mock.writesArrays = true
        for scenario in [Scenario.text, .toolCall, .longUnicode] {
            gateway.mock.told = scenario.told
            for model in ["gemini/gemini-2.5-pro", "sap/gemini-2.5-pro"] {
                let answer = try gateway.ask(
                    client.request(scenario, model: model, isStream: true)
                )
                var problems: [String] = []
                let told = client.told(
                    stream: answer.body,
                    wantsUsage: scenario.wantsUsage,
                    &problems
                )
                #expect(problems.isEmpty, "\(answer.body.prefix(500))")
                #expect(told.text.utf8.elementsEqual(scenario.told.text.utf8))
                #expect(told.calls.map(\.arguments) == scenario.told.calls.map(\.arguments))
                #expect(told.usage == scenario.told.usage)
            }
        }
    }

    @Test("a Gemini client without alt=sse gets one array", arguments: UpstreamRow.all)
    func arrayForClient(_ row: UpstreamRow) throws {
        let models = UpstreamRow.all.map(\.entries).joined(separator: ",\n")
        let gateway = try MockGateway(#""models": {\#(models)}"#)
        let scenario = Scenario.toolCall
        gateway.mock.told = scenario.told
        let answer = try gateway.post(
            "/v1beta/models/\(row.name):streamGenerateContent",
            GeminiForm.request(scenario.asked)
        )
        #expect(answer["content-type"]?.hasPrefix("application/json") == true)
        var problems: [String] = []
        let chunks = problems.json(answer.body).array ?? []
        let events = chunks.map { ClientEvent(name: nil, data: $0.compact) }
        let told = GeminiForm.told(events: events, &problems)
        #expect(problems.isEmpty, "\(answer.body.prefix(500))")
        #expect(told.text == scenario.told.text)
        #expect(told.calls.map(\.arguments) == scenario.told.calls.map(\.arguments))
    }
}
