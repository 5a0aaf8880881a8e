// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import Testing

@testable import Worker

@Suite("Admission by the head alone")
struct AdmissionTests {
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let head: String
        let status: Int
        var code: String?
        /// Fields that the answer must have; nil stands for none of that name.
        var fields: [(name: String, value: String?)] = []
        /// Whether the connection ends with the answer.
        var closes = false

        init(
            _ head: String,
            _ status: Int,
            _ code: String? = nil,
            _ fields: [(name: String, value: String?)] = [],
            closes: Bool = false
        ) {
            testDescription = "\(head.split(separator: "\r\n").joined(separator: " | ")): \(status)"
            self.head = head
            self.status = status
            self.code = code
            self.fields = fields
            self.closes = closes
        }
    }

    private static let secret = "sk-right"
    private static let key = "Authorization: Bearer \(secret)\r\n"

    /// Demo upstream, one key that may use `demo/fast` only, pages of one origin, 64 KiB bodies.
    private static let config = """
        {"upstreams": {"demo": {"kind": "demo"}},
         "keys": [{"name": "k", "models": ["demo/fast"], "hash":
            "sha256:5a8be38da412e44e65567661c0dd497d845645b78530e1e4bc042d9d44c9f445"}],
         "cors": {"origins": ["https://page"]},
         "guards": {"max_body": "64KiB"}}
        """

    static let cases: [Case] = [
        Case("GET /health", 200, nil, [("www-authenticate", nil)]),
        Case("GET /health?probe=1", 200),
        Case("GET /v1/models", 401, "missing_api_key", [("www-authenticate", "Bearer")]),
        Case("GET /v1/models\r\nAuthorization: Bearer sk-wrong", 401, "invalid_api_key"),
        Case("GET /v1/models\r\nAuthorization: Basic sk-right", 401, "missing_api_key"),
        Case("GET /v1/models\r\nAuthorization: Bearer", 401, "missing_api_key"),
        Case("GET /v1/models\r\nAuthorization: bearer  sk-right", 200),
        Case("GET /v1/models\r\nx-api-key: sk-right", 200),
        Case("GET /v1/models\r\napi-key: sk-right", 200),
        Case("GET /v1/models\r\nx-goog-api-key: sk-right", 200),
        Case("GET /v1/models\r\nAuthorization: Basic x\r\nx-api-key: sk-right", 200),
        Case("GET /v1/models/demo/fast\r\nx-api-key: sk-right", 200),
        Case("GET /v1/models/demo/echo\r\nx-api-key: sk-right", 404, "model_not_found"),
        Case("GET /nowhere", 404, "unknown_url"),
        Case("POST /nowhere\r\nContent-Length: 2", 404, "unknown_url", closes: true),
        Case("POST /nowhere\r\nContent-Length: 0", 404, "unknown_url"),
        Case(
            "POST /v1/models\r\nContent-Length: 0",
            405,
            "method_not_allowed",
            [("allow", "GET, HEAD, OPTIONS")]
        ),
        Case(
            "GET /v1/chat/completions",
            405,
            "method_not_allowed",
            [("allow", "POST, OPTIONS")]
        ),
        Case(
            "BREW /health",
            405,
            "method_not_allowed",
            [("allow", "GET, HEAD, OPTIONS")]
        ),
        Case("POST /v1/embeddings\r\nx-api-key: sk-right", 411, "length_required"),
        Case("POST /v1/embeddings\r\nContent-Length: 5", 401, "missing_api_key", closes: true),
        Case(
            "POST /v1/embeddings\r\nx-api-key: sk-right\r\nContent-Length: 65537",
            413,
            "request_too_large",
            closes: true
        ),
        Case(
            "GET /v1/models\r\nx-api-key: sk-right\r\nContent-Length: 65537",
            413,
            "request_too_large",
            closes: true
        ),
        Case(
            "POST /v1/embeddings\r\nx-api-key: sk-right\r\nContent-Length: 9\r\n"
                + "Content-Encoding: gzip",
            415,
            "unsupported_content_encoding",
            closes: true
        ),
        Case(
            "POST /v1/embeddings\r\nx-api-key: sk-right\r\nContent-Length: 0\r\n"
                + "Content-Encoding: Identity",
            400,
            "empty_body"
        ),
        Case(
            "OPTIONS /v1/embeddings",
            204,
            nil,
            [
                ("allow", "POST, OPTIONS"), ("content-length", nil),
                ("access-control-allow-origin", nil),
            ]
        ),
        Case("OPTIONS *", 204, nil, [("allow", "GET, HEAD, OPTIONS")]),
        Case("OPTIONS /nowhere", 404, "unknown_url"),
        Case(
            "OPTIONS /v1/embeddings\r\nOrigin: https://page\r\n"
                + "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-a, b",
            204,
            nil,
            [
                ("access-control-allow-origin", "https://page"),
                ("access-control-allow-methods", "POST, OPTIONS"),
                ("access-control-allow-headers", "x-a, b"), ("vary", "origin"),
                ("access-control-max-age", "600"),
            ]
        ),
        Case(
            "OPTIONS /v1/embeddings\r\nOrigin: https://other",
            204,
            nil,
            [("access-control-allow-origin", nil)]
        ),
        Case(
            "GET /v1/models\r\nOrigin: https://page",
            401,
            "missing_api_key",
            [("access-control-allow-origin", "https://page")]
        ),
        Case(
            "GET /health\r\nOrigin: https://page.evil",
            200,
            nil,
            [("access-control-allow-origin", nil)]
        ),
        Case("GET /health\r\nX-Request-ID: abc", 200, nil, [("x-request-id", "abc")]),
        Case("GET /health\r\nX-Correlation-ID: c", 200, nil, [("x-correlation-id", "c")]),
        Case("GET /health\r\nX-Correlation-ID: c d", 200, nil, [("x-correlation-id", nil)]),
        Case("GET /health\r\nConnection: close", 200, nil, [("connection", "close")], closes: true),
    ]

    @Test("decides by route, method, key, coding and length", arguments: cases)
    func admits(_ row: Case) throws {
        let harness = try WorkerHarness(Self.config)
        let client = try harness.client()
        let lines = row.head.split(separator: "\r\n", maxSplits: 1)
        let more = lines.count > 1 ? "\(lines[1])\r\n" : ""
        try client.send("\(lines[0]) HTTP/1.1\r\nHost: h\r\n\(more)\r\n")
        let answer = try client.answer()
        #expect(answer.status == row.status)
        if let code = row.code {
            let error = try #require(try answer.json["error"])
            #expect(error["code"]?.string == code)
            #expect(error["message"]?.string?.isEmpty == false)
            #expect(error.object?.keys.sorted() == ["code", "message", "param", "type"])
            #expect(answer["content-type"] == "application/json")
        }
        for field in row.fields { #expect(answer[field.name] == field.value, "\(field.name)") }
        #expect(answer["x-request-id"] != nil && answer["date"] != nil)
        #expect((answer["connection"] == "close") == row.closes)
        if row.closes {
            try client.waitForEnd()
        } else {
            try client.send(TestRequest.get("/health"))
            #expect(try client.answer().status == 200)
        }
    }

    @Test("a key is held to its models", arguments: [("demo/fast", 200), ("demo/echo", 403)])
    func models(_ model: String, _ status: Int) throws {
        let harness = try WorkerHarness(Self.config)
        let client = try harness.client()
        try client.send(TestRequest.chat(model, Self.key))
        let answer = try client.answer()
        #expect(answer.status == status)
        let line = try #require(try harness.accessLines().first)
        #expect(line["key"]?.string == "k")
        if status == 403 {
            #expect(try answer.json["error"]?["code"]?.string == "model_not_allowed")
        }
    }

    @Test("a preflight needs no key and reads no body it was not sent")
    func preflight() throws {
        let harness = try WorkerHarness(Self.config)
        let client = try harness.client()
        try client.send("OPTIONS /v1/models HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        #expect(try client.answer().status == 204)
        try client.send(TestRequest.get("/health"))
        #expect(try client.answer().status == 200)
    }
}
