// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Testing

struct ErrorShapeTests {
    private static let error = APIError(
        429,
        .rateLimit,
        "rate_limit_exceeded",
        "Slow down.",
        param: "model"
    )

    private static func text(_ shape: ErrorShape) -> String {
        let out = ByteBuffer()
        error.append(as: shape, requestID: "r1", to: out)
        return out.text
    }

    @Test func openAI() {
        #expect(
            Self.text(.openAI)
                == #"{"error":{"message":"Slow down.","type":"rate_limit_error","param":"model","code":"rate_limit_exceeded"}}"#
        )
    }

    @Test func anthropic() {
        #expect(
            Self.text(.anthropic)
                == #"{"type":"error","error":{"type":"rate_limit_error","message":"model: Slow down."},"request_id":"r1"}"#
        )
    }

    @Test func gemini() {
        #expect(
            Self.text(.gemini)
                == #"{"error":{"code":429,"message":"model: Slow down.","status":"RESOURCE_EXHAUSTED"}}"#
        )
    }

    @Test("Only Anthropic's clients know 529, and only of an upstream") func overloaded() {
        let upstream = APIError(503, .upstream, "upstream_overloaded", "Wait.")
        #expect(upstream.status(as: .anthropic) == 529)
        #expect(upstream.status(as: .openAI) == 503)
        #expect(upstream.status(as: .gemini) == 503)
        #expect(APIError(503, .server, "stopping", "Wait.").status(as: .anthropic) == 503)
        #expect(Self.error.status(as: .anthropic) == 429)
    }

    struct Status {
        let status: Int
        let anthropic: String
        let google: String
    }

    @Test(arguments: [
        Status(status: 400, anthropic: "invalid_request_error", google: "INVALID_ARGUMENT"),
        Status(status: 401, anthropic: "authentication_error", google: "UNAUTHENTICATED"),
        Status(status: 403, anthropic: "permission_error", google: "PERMISSION_DENIED"),
        Status(status: 404, anthropic: "not_found_error", google: "NOT_FOUND"),
        Status(status: 413, anthropic: "request_too_large", google: "INVALID_ARGUMENT"),
        Status(status: 429, anthropic: "rate_limit_error", google: "RESOURCE_EXHAUSTED"),
        Status(status: 500, anthropic: "api_error", google: "INTERNAL"),
        Status(status: 502, anthropic: "api_error", google: "UNAVAILABLE"),
        Status(status: 503, anthropic: "overloaded_error", google: "UNAVAILABLE"),
        Status(status: 504, anthropic: "timeout_error", google: "DEADLINE_EXCEEDED"),
    ])
    func typesPerStatus(_ row: Status) {
        let error = APIError(row.status, .server, "x", "y")
        #expect(error.anthropicType == row.anthropic)
        #expect(error.googleStatus == row.google)
    }
}
