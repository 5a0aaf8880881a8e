// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Testing

struct ComplaintTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let status: Int?
        let body: String
        let expected: UpstreamComplaint

        init(
            _ name: String,
            _ status: Int?,
            _ body: String,
            _ expected: UpstreamComplaint,
            param: String? = nil,
            retry: Int? = nil
        ) {
            testDescription = name
            self.status = status
            self.body = body
            var expected = expected
            expected.param = param
            expected.retryAfterMilliseconds = retry
            self.expected = expected
        }
    }

    private static func says(
        _ status: Int?,
        _ type: String?,
        _ code: String?,
        _ message: String
    ) -> UpstreamComplaint {
        UpstreamComplaint(status: status, type: type, code: code, message: message)
    }

    private static func read(_ body: String, _ status: Int?) -> UpstreamComplaint {
        var scanner = JSONScanner()
        return ComplaintReader.read(body: Array(body.utf8).span, status: status, scanner: &scanner)
    }

    static let rows = [
        Row(
            "OpenAI",
            400,
            #"{"error":{"message":"Unknown parameter: 'beta'.","type":"invalid_request_error","param":"beta","code":"unknown_parameter"}}"#,
            says(400, "invalid_request_error", "unknown_parameter", "Unknown parameter: 'beta'."),
            param: "beta"
        ),
        Row(
            "OpenAI, nulls",
            nil,
            #"{"error":{"message":"m","type":"server_error","param":null,"code":null}}"#,
            says(500, "server_error", nil, "m")
        ),
        Row(
            "OpenAI, a limit of tokens",
            nil,
            #"{"error":{"message":"m","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            says(429, "tokens", "rate_limit_exceeded", "m")
        ),
        Row(
            "Responses, flat event",
            nil,
            #"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null,"sequence_number":3}"#,
            says(429, nil, "rate_limit_exceeded", "m")
        ),
        Row(
            "Responses on SAP",
            nil,
            #"{"type":"error","error":{"type":"too_many_requests","code":"too_many_requests"}}"#,
            says(429, "too_many_requests", "too_many_requests", "")
        ),
        Row(
            "Azure, code as text",
            429,
            #"{"error":{"code":"429","message":"Slow.","type":null,"param":null}}"#,
            says(429, nil, "429", "Slow.")
        ),
        Row(
            "Azure, filter",
            400,
            #"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{}}}}"#,
            says(400, nil, "content_filter", "filtered"),
            param: "prompt"
        ),
        Row(
            "Azure, filter behind another code",
            400,
            #"{"error":{"message":"filtered","innererror":{"code":"ResponsibleAIPolicyViolation"},"code":"BadRequest"}}"#,
            says(400, nil, "content_filter", "filtered")
        ),
        Row(
            "Anthropic",
            nil,
            #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
            says(503, "overloaded_error", nil, "Overloaded")
        ),
        Row(
            "Anthropic, status 529",
            529,
            #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            says(529, "overloaded_error", nil, "Overloaded")
        ),
        Row(
            "Google",
            nil,
            #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m"}}"#,
            says(429, "RESOURCE_EXHAUSTED", "429", "m")
        ),
        Row(
            "Google in a list, with a delay",
            429,
            #"[{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}]"#,
            says(429, "RESOURCE_EXHAUSTED", "429", "Quota."),
            retry: 34_070
        ),
        Row(
            "Google, name of the status alone",
            nil,
            #"{"error":{"status":"UNAVAILABLE","message":"m"}}"#,
            says(503, "UNAVAILABLE", nil, "m")
        ),
        Row(
            "Bedrock",
            429,
            #"{"message":"Too many tokens, please wait before trying again."}"#,
            says(429, nil, nil, "Too many tokens, please wait before trying again.")
        ),
        Row("Bedrock, capital", 403, #"{"Message":"no"}"#, says(403, nil, nil, "no")),
        Row(
            "AWS, type in the body, status 400",
            400,
            #"{"__type":"com.amazon.coral.availability#ThrottlingException","message":"Slow"}"#,
            says(429, "ThrottlingException", nil, "Slow")
        ),
        Row(
            "AWS, exception in a stream",
            nil,
            #"{"throttlingException":{"message":"Slow"}}"#,
            says(429, "throttlingException", nil, "Slow")
        ),
        Row(
            "AI API",
            404,
            #"{"error":{"code":"01041001","message":"gone","requestId":"r","target":"/v2/lm","details":{}}}"#,
            says(404, nil, "01041001", "gone")
        ),
        Row(
            "AI Core, errors",
            429,
            #"{"errors":{"message":"limited"}}"#,
            says(429, nil, nil, "limited")
        ),
        Row(
            "AI Core, list of errors",
            400,
            #"{"errors":[{"message":"one"},{"message":"two"}]}"#,
            says(400, nil, nil, "one")
        ),
        Row(
            "Orchestration",
            400,
            #"{"error":{"request_id":"r","code":400,"message":"Prompt filtered","location":"Filtering Module - Input Filter","intermediate_results":{}}}"#,
            says(400, "Filtering Module - Input Filter", "400", "Prompt filtered")
        ),
        Row(
            "Orchestration, list",
            nil,
            #"{"error":[{"request_id":"r","code":502,"message":"bad","location":"LLM Module"}]}"#,
            says(502, "LLM Module", "502", "bad")
        ),
        Row(
            "Ollama",
            404,
            #"{"error":"model 'x' not found"}"#,
            says(404, nil, nil, "model 'x' not found")
        ),
        Row(
            "OAuth",
            401,
            #"{"error":"unauthorized","error_description":"Bad credentials"}"#,
            says(401, nil, "unauthorized", "Bad credentials")
        ),
        Row(
            "vLLM, flat",
            nil,
            #"{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}"#,
            says(400, "BadRequestError", "400", "m")
        ),
        Row(
            "FastAPI",
            422,
            #"{"detail":[{"loc":["body","x"],"msg":"field required","type":"missing"}]}"#,
            says(422, "missing", nil, "field required")
        ),
        Row("FastAPI, text", 404, #"{"detail":"Not Found"}"#, says(404, nil, nil, "Not Found")),
        Row("nothing", 400, "{}", says(400, nil, nil, "")),
        Row("an empty body", 502, "", says(502, nil, nil, "")),
        Row("markup", 502, "<html><h1>502</h1></html>", says(502, nil, nil, "")),
        Row(
            "plain text",
            503,
            "no healthy\n  upstream\n",
            says(503, nil, nil, "no healthy upstream")
        ),
        Row("JSON text", 500, #""boom""#, says(500, nil, nil, "boom")),
        Row("unknown members", 500, #"{"foo": 1}"#, says(500, nil, nil, #"{"foo": 1}"#)),
    ]

    @Test(arguments: rows)
    func reads(_ row: Row) {
        #expect(Self.read(row.body, row.status) == row.expected)
    }

    @Test func longTextsAreCutBetweenCharacters() {
        let message = Self.read(String(repeating: "ü ", count: 400), 500).message
        #expect(message.utf8.count <= 300)
        #expect(message.hasSuffix("…"))
        #expect(!message.contains("\u{FFFD}"))
        let text = String(repeating: "ab🙂", count: 2_000)
        let long = Self.read("{\"message\":\"\(text)\"}", 500).message
        #expect(long.utf8.count <= 2_000 && long.utf8.count > 1_990)
        #expect(text.hasPrefix(long.dropLast()))
    }

    @Test func deepNestingEnds() {
        let body =
            String(repeating: #"{"error":"#, count: 200) + "1" + String(repeating: "}", count: 200)
        #expect(Self.read(body, 500).status == 500)
    }

    @Test(arguments: [
        (#"{"error":null,"output":[]}"#, false),
        (#"{"error":{},"x":1}"#, false),
        (#"{"errors":[]}"#, false),
        (#"{"error":""}"#, false),
        (#"{"type":"message"}"#, false),
        (#"{"id":"x","object":"chat.completion"}"#, false),
        ("[]", false),
        ("1", false),
        (#"{"error":"x"}"#, true),
        (#"{"error":{"message":"x"}}"#, true),
        (#"[{"error":{"code":429}}]"#, true),
        (#"{"type":"error","message":"x"}"#, true),
        (#"{"internalServerException":{"message":"x"}}"#, true),
    ])
    func findsErrorsInsideOfSuccess(_ body: String, _ isError: Bool) throws {
        let document = try Converting.Document(body)
        let found = ComplaintReader.find(
            document.tape.root,
            document.tape,
            document.bytes.span
        )
        #expect((found != nil) == isError)
    }

    // MARK: What clients get

    struct Mapped: CustomTestStringConvertible {
        let testDescription: String
        let complaint: UpstreamComplaint
        let status: Int
        let kind: APIError.Kind
        let code: String
        let message: String

        init(
            _ complaint: UpstreamComplaint,
            _ status: Int,
            _ kind: APIError.Kind,
            _ code: String,
            _ message: String
        ) {
            testDescription =
                "\(complaint.status ?? 0) \(complaint.code ?? "") \(complaint.message)"
            self.complaint = complaint
            self.status = status
            self.kind = kind
            self.code = code
            self.message = message
        }
    }

    private static let refusal =
        "The upstream 'eu' refused this gateway's credentials (status 401). "
        + "The operator has to look at its credentials."

    static let mapped = [
        Mapped(
            says(400, nil, nil, "max_tokens: too big"),
            400,
            .invalidRequest,
            "upstream_refused",
            "max_tokens: too big"
        ),
        Mapped(
            says(400, nil, nil, ""),
            400,
            .invalidRequest,
            "upstream_refused",
            "The upstream 'eu' refused the request."
        ),
        Mapped(
            says(400, nil, "content_filter", "no"),
            400,
            .invalidRequest,
            "content_filter",
            "no"
        ),
        Mapped(
            says(400, "Filtering Module - Input Filter", "400", "no"),
            400,
            .invalidRequest,
            "content_filter",
            "no"
        ),
        Mapped(
            says(400, nil, "context_length_exceeded", "long"),
            400,
            .invalidRequest,
            "context_length_exceeded",
            "long"
        ),
        Mapped(
            says(
                400,
                "invalid_request_error",
                nil,
                "prompt is too long: 210000 tokens > 200000 maximum"
            ),
            400,
            .invalidRequest,
            "context_length_exceeded",
            "prompt is too long: 210000 tokens > 200000 maximum"
        ),
        Mapped(
            says(
                400,
                "INVALID_ARGUMENT",
                "400",
                "The input token count (2) exceeds the maximum number of tokens allowed (1)."
            ),
            400,
            .invalidRequest,
            "context_length_exceeded",
            "The input token count (2) exceeds the maximum number of tokens allowed (1)."
        ),
        Mapped(
            says(400, nil, "unknown_parameter", "u"),
            400,
            .invalidRequest,
            "unknown_parameter",
            "u"
        ),
        Mapped(says(400, nil, "some_new_code", "u"), 400, .invalidRequest, "upstream_refused", "u"),
        Mapped(
            says(401, nil, "invalid_api_key", "Incorrect API key provided: sk-abc"),
            502,
            .upstream,
            "upstream_credentials",
            refusal
        ),
        Mapped(
            says(403, nil, nil, "subaccount x"),
            502,
            .upstream,
            "upstream_credentials",
            refusal.replacing("401", with: "403")
        ),
        Mapped(
            says(402, nil, nil, "pay"),
            502,
            .upstream,
            "upstream_credentials",
            refusal.replacing("401", with: "402")
        ),
        Mapped(
            says(404, nil, nil, "gone"),
            404,
            .notFound,
            "upstream_not_found",
            "The upstream 'eu' does not know this model or path: gone"
        ),
        Mapped(says(405, nil, nil, "m"), 400, .invalidRequest, "upstream_refused", "m"),
        Mapped(
            says(408, nil, nil, ""),
            504,
            .upstream,
            "upstream_timeout",
            "The upstream 'eu' took too long."
        ),
        Mapped(says(413, nil, nil, "big"), 413, .invalidRequest, "request_too_large", "big"),
        Mapped(says(422, nil, nil, "m"), 422, .invalidRequest, "upstream_refused", "m"),
        Mapped(
            says(424, nil, nil, "m"),
            502,
            .upstream,
            "upstream_error",
            "The upstream 'eu' failed with status 424: m"
        ),
        Mapped(
            says(429, nil, nil, "slow"),
            429,
            .rateLimit,
            "rate_limit_exceeded",
            "The upstream 'eu' limits the rate of requests: slow"
        ),
        Mapped(
            says(429, nil, "insufficient_quota", ""),
            429,
            .rateLimit,
            "insufficient_quota",
            "The upstream 'eu' limits the rate of requests."
        ),
        Mapped(
            says(500, nil, nil, "m"),
            502,
            .upstream,
            "upstream_error",
            "The upstream 'eu' failed with status 500: m"
        ),
        Mapped(
            says(503, nil, nil, ""),
            503,
            .upstream,
            "upstream_overloaded",
            "The upstream 'eu' is overloaded."
        ),
        Mapped(
            says(529, nil, nil, ""),
            503,
            .upstream,
            "upstream_overloaded",
            "The upstream 'eu' is overloaded."
        ),
        Mapped(
            says(504, nil, nil, ""),
            504,
            .upstream,
            "upstream_timeout",
            "The upstream 'eu' took too long."
        ),
        Mapped(
            says(nil, nil, nil, "m"),
            502,
            .upstream,
            "upstream_error",
            "The upstream 'eu' reported an error: m"
        ),
    ]

    @Test(arguments: mapped)
    func maps(_ row: Mapped) {
        let error = ComplaintMapping.error(row.complaint, upstream: "eu")
        #expect(error.status == row.status)
        #expect(error.kind == row.kind)
        #expect(error.code.description == row.code)
        #expect(error.message == row.message)
    }

    @Test func delaysAreRoundedUp() {
        var complaint = Self.says(429, nil, nil, "m")
        complaint.retryAfterMilliseconds = 1_001
        #expect(ComplaintMapping.error(complaint, upstream: "u").retryAfterSeconds == 2)
        complaint.status = 400
        #expect(ComplaintMapping.error(complaint, upstream: "u").retryAfterSeconds == nil)
    }

    @Test(arguments: [
        ("Authorization: Bearer abc123def456ghi", "Authorization: Bearer [redacted]"),
        ("token 'eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiIx.sig-1_x' expired", "token '[redacted]' expired"),
        (
            "Incorrect API key provided: sk-proj-************cdef.",
            "Incorrect API key provided: [redacted]"
        ),
        ("key=AIzaSyD1234567890abcdef is off", "key=[redacted] is off"),
        ("client sb-1111-2222!b1000|aicore!b100 unknown", "client [redacted] unknown"),
        ("https://my-tenant.authentication.eu10.hana.ondemand.com/x", "https://[redacted]/x"),
        ("Qm9vMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3BxcnN0dXY", "[redacted]"),
    ])
    func masksSecrets(_ text: String, _ expected: String) {
        #expect(SecretRedaction.redacted(text) == expected)
    }

    @Test(arguments: [
        "Bearer token is missing", "Basic authentication is not supported",
        "Unknown parameter: 'messages[1].content'.", "model anthropic--claude-4.6-opus not found",
        "request 0123456789abcdef0123456789abcdef0123456789abcdef",
        "Schreibe: äöü 🙂", "sk-", "",
    ])
    func leavesProseAlone(_ text: String) {
        #expect(SecretRedaction.redacted(text) == text)
    }
}
