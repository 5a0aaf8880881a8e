// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import HTTP
import JSON
import Testing

@testable import Worker

@Suite("Request paths")
struct RequestPathTests {
    struct Path {
        let text: String
        let endpoint: Endpoint
        let name: String?

        init(_ text: String, _ endpoint: Endpoint, _ name: String? = nil) {
            self.text = text
            self.endpoint = endpoint
            self.name = name
        }
    }

    @Test(
        "finds the endpoint with and without /v1",
        arguments: [
            Path("/v1/chat/completions", .chatCompletions),
            Path("/chat/completions", .chatCompletions),
            Path("/v1/chat/completions/", .chatCompletions),
            Path("/litellm/v1/chat/completions", .chatCompletions),
            Path("/openai/v1/chat/completions", .chatCompletions),
            Path("/chat/stream", .plainChat),
            Path("/v1/completions", .completions),
            Path("/completions", .completions),
            Path("/v1/embeddings", .embeddings),
            Path("/v1/responses", .responses),
            Path("/openai/responses", .responses),
            Path("/v1/responses/compact", .responsesCompact),
            Path("/v1/responses/resp_1", .response, "resp_1"),
            Path("/v1/messages", .messages),
            Path("/anthropic/v1/messages", .messages),
            Path("/v1/messages/count_tokens", .countTokens),
            Path("/v1beta/models/m:generateContent", .gemini(.generate), "m"),
            Path("/v1/models/a/b:streamGenerateContent", .gemini(.stream), "a/b"),
            Path("/gemini/v1beta/models/m:countTokens", .gemini(.countTokens), "m"),
            Path("/v1beta/models/m:embedContent", .gemini(.embed), "m"),
            Path("/models/m:batchEmbedContents", .gemini(.batchEmbed), "m"),
            Path("/v1beta/models", .geminiModels),
            Path("/v1beta/models/m", .geminiModel, "m"),
            Path("/v1/models", .models),
            Path("/models/", .models),
            Path("/v1/models/a", .model, "a"),
            Path("/v1/models/llama3:8b", .model, "llama3:8b"),
            Path("/models/demo/echo", .model, "demo/echo"),
            Path("/openai/deployments/g%2Fp/chat/completions", .chatCompletions, "g%2Fp"),
            Path("/openai/deployments/g/embeddings/", .embeddings, "g"),
            Path("/openai/deployments/g/completions", .completions, "g"),
            Path("/health", .health),
            Path("/v1/health", .health),
        ]
    )
    func finds(_ path: Path) {
        let found = RequestPath.match(path.text.utf8.span)
        #expect(found?.endpoint == path.endpoint)
        let bytes = Array(path.text.utf8)
        #expect(found?.name.map { String(decoding: bytes[$0], as: UTF8.self) } == path.name)
    }

    @Test(
        "does not know other paths",
        arguments: [
            "/", "", "/v1", "/v1/", "/v2/models", "/v1/chat", "/v1chat/completions",
            "/v1/responses/a/b", "/openai/deployments//chat/completions",
            "/v1beta/chat/completions",
            "/v1beta/models/:generateContent", "/openai/deployments/a", "/openai",
        ]
    )
    func refuses(_ path: String) {
        let found = RequestPath.match(path.utf8.span)
        #expect(found == nil)
    }

    @Test(
        "resolves percent escapes, or says that they are broken",
        arguments: [
            ("demo%2Fecho", "demo/echo"), ("plain", "plain"), ("a%20b", "a b"),
            ("%e4%bd%a0", "你"), ("%", nil), ("%4", nil), ("%zz", nil), ("a%2", nil),
        ] as [(String, String?)]
    )
    func decodes(_ text: String, _ expected: String?) {
        let decoded = RequestPath.decoded(text.utf8.span)
        #expect(decoded == expected.map { Array($0.utf8) })
    }
}

@Suite("Client credentials")
struct ClientCredentialTests {
    @Test(
        "finds the key wherever clients put it",
        arguments: [
            ("Authorization: Bearer sk-1", "sk-1"),
            ("authorization: bearer   sk-1", "sk-1"),
            ("X-API-Key: sk-2", "sk-2"),
            ("api-key: sk-3", "sk-3"),
            ("x-goog-api-key: sk-4", "sk-4"),
            ("Authorization: Basic abc", nil),
            ("Authorization: Bearer", nil),
            ("Authorization: Bearersk-1", nil),
            ("X-API-Key:", nil),
            ("Accept: */*", nil),
        ] as [(String, String?)]
    )
    func finds(_ line: String, _ key: String?) throws {
        let text = "GET / HTTP/1.1\r\nHost: h\r\n\(line)\r\n\r\n"
        var head = RequestHead()
        var parser = RequestHeadParser()
        let bytes = Array(text.utf8)
        _ = try parser.parse(bytes.span, into: &head)
        let range = ClientCredential.find(head, in: bytes.span)
        #expect(range.map { String(decoding: bytes[$0], as: UTF8.self) } == key)
    }

    @Test("Bearer comes before the other headers")
    func order() throws {
        let text = "GET / HTTP/1.1\r\nHost: h\r\nx-api-key: b\r\nAuthorization: Bearer a\r\n\r\n"
        var head = RequestHead()
        var parser = RequestHeadParser()
        let bytes = Array(text.utf8)
        _ = try parser.parse(bytes.span, into: &head)
        let found = ClientCredential.find(head, in: bytes.span)
        let range = try #require(found)
        #expect(Array(bytes[range]) == Array("a".utf8))
    }
}

@Suite("The request contract")
struct RequestContractTests {
    struct Refusal: CustomTestStringConvertible {
        let name: String
        var endpoint = Endpoint.chatCompletions
        let body: String
        let param: String?
        let code: String

        var testDescription: String { name }
    }

    private static let message = #"[{"role":"user","content":"x"}]"#

    static let refusals: [Refusal] = [
        Refusal(name: "an array", body: "[]", param: nil, code: "invalid_type"),
        Refusal(
            name: "no model",
            body: #"{"messages":[]}"#,
            param: "model",
            code: "missing_required_parameter"
        ),
        Refusal(
            name: "model a number",
            body: #"{"model":1}"#,
            param: "model",
            code: "invalid_type"
        ),
        Refusal(
            name: "model empty",
            body: #"{"model":""}"#,
            param: "model",
            code: "invalid_type"
        ),
        Refusal(
            name: "model twice",
            body: #"{"model":"a","model":"b"}"#,
            param: "model",
            code: "duplicate_member"
        ),
        Refusal(
            name: "model twice, once escaped",
            body: #"{"model":"a","m\u006fdel":"b"}"#,
            param: "model",
            code: "duplicate_member"
        ),
        Refusal(
            name: "no messages",
            body: #"{"model":"a"}"#,
            param: "messages",
            code: "missing_required_parameter"
        ),
        Refusal(
            name: "messages an object",
            body: #"{"model":"a","messages":{}}"#,
            param: "messages",
            code: "invalid_type"
        ),
        Refusal(
            name: "no message",
            body: #"{"model":"a","messages":[]}"#,
            param: "messages",
            code: "empty_array"
        ),
        Refusal(
            name: "a message that is a string",
            body: #"{"model":"a","messages":[{"role":"user"},"x"]}"#,
            param: "messages[1]",
            code: "invalid_type"
        ),
        Refusal(
            name: "a message without role",
            body: #"{"model":"a","messages":[{}]}"#,
            param: "messages[0].role",
            code: "missing_required_parameter"
        ),
        Refusal(
            name: "a role that is a number",
            body: #"{"model":"a","messages":[{"role":3}]}"#,
            param: "messages[0].role",
            code: "invalid_type"
        ),
        Refusal(
            name: "stream a string",
            body: #"{"model":"a","stream":"yes","messages":\#(message)}"#,
            param: "stream",
            code: "invalid_type"
        ),
        Refusal(
            name: "stream_options an array",
            body: #"{"model":"a","stream_options":[],"messages":\#(message)}"#,
            param: "stream_options",
            code: "invalid_type"
        ),
        Refusal(
            name: "include_usage a number",
            body: #"{"model":"a","stream_options":{"include_usage":1},"messages":\#(message)}"#,
            param: "stream_options.include_usage",
            code: "invalid_type"
        ),
        Refusal(
            name: "completions without prompt",
            endpoint: .completions,
            body: #"{"model":"a"}"#,
            param: "prompt",
            code: "missing_required_parameter"
        ),
        Refusal(
            name: "embeddings without input",
            endpoint: .embeddings,
            body: #"{"model":"a"}"#,
            param: "input",
            code: "missing_required_parameter"
        ),
        Refusal(
            name: "embeddings of a number",
            endpoint: .embeddings,
            body: #"{"model":"a","input":3}"#,
            param: "input",
            code: "invalid_type"
        ),
    ]

    @Test("names the member that is wrong", arguments: refusals)
    func namesTheMember(_ row: Refusal) throws {
        let scan = BodyScan()
        let bytes = Array(row.body.utf8)
        scan.advance(bytes.span, isFinal: true)
        #expect(scan.error == nil)
        var caught: APIError?
        do {
            _ = try RequestContract.check(row.endpoint, scan.tape, bytes.span)
        } catch {
            caught = error
        }
        let error = try #require(caught)
        #expect(error.status == 400)
        #expect(error.param == row.param)
        #expect(error.code.description == row.code)
    }

    @Test("malformed JSON is told by line, column and path")
    func malformed() throws {
        let text = "{\"model\":\"a\",\n \"messages\":[{\"role\":tru}]}"
        let scan = BodyScan()
        let bytes = Array(text.utf8)
        scan.advance(bytes.span, isFinal: true)
        let problem = try #require(scan.error)
        let error = RequestContract.malformed(problem, tape: scan.tape, bytes.span)
        #expect(error.status == 400)
        #expect(error.message.contains("line 2, column 22"), "\(error.message)")
        #expect(error.param == "messages[0]")
    }
}
