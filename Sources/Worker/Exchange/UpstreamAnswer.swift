// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Metrics

/// What a whole answer of an upstream means for the client.
///
/// Pure.
enum UpstreamAnswer {
    enum Verdict {
        /// The bytes go to the client as they are.
        case pass(TokenUsage?)
        /// The client gets this error instead.
        case replace(APIError)
    }

    /// Judges an answer with a body that is complete.
    ///
    /// A provider's 401 is never the client's 401: it is the operator's key that is wrong.
    static func judge(
        status: Int,
        upstream: String,
        _ body: Span<UInt8>,
        scanner: inout JSONScanner
    ) -> Verdict {
        let isJSONObject = scan(body, &scanner)
        let tape = scanner.tape
        let error = isJSONObject ? tape.member("error", of: tape.root, in: body) : nil
        let reported = error.flatMap { tape.isNull($0) ? nil : $0 }
        switch status {
        case 200..<300:
            guard isJSONObject else {
                return .replace(unreadable(upstream, body.isEmpty ? "an empty answer" : "no JSON"))
            }
            if let reported {
                let text = message(reported, tape, body) ?? "no reason given"
                return .replace(
                    APIError(
                        502,
                        .upstream,
                        "upstream_error",
                        "The upstream '\(upstream)' reported an error: \(text)"
                    )
                )
            }
            let usage = tape.member("usage", of: tape.root, in: body)
            return .pass(usage.flatMap { Usage.read($0, tape, body) })
        case 400, 404, 405, 409, 413, 415, 422, 424, 429, 500..<600:
            if reported != nil { return .pass(nil) }
            return .replace(plain(status: status, upstream: upstream))
        case 401, 402, 403:
            return .replace(refusedCredentials(status: status, upstream: upstream))
        case 400..<500:
            if reported != nil { return .pass(nil) }
            return .replace(plain(status: status, upstream: upstream))
        default:
            return .replace(unreadable(upstream, "status \(status)"))
        }
    }

    private static func scan(_ body: Span<UInt8>, _ scanner: inout JSONScanner) -> Bool {
        scanner.reset()
        do throws(JSONError) {
            guard try scanner.scan(body, isFinal: true) else { return false }
        } catch {
            return false
        }
        return scanner.tape.kind(of: scanner.tape.root) == .object
    }

    private static func message(
        _ error: JSONNode,
        _ tape: JSONTape,
        _ body: Span<UInt8>
    ) -> String? {
        if let text = tape.string(of: error, in: body) { return text }
        guard let member = tape.member("message", of: error, in: body) else { return nil }
        return tape.string(of: member, in: body)
    }

    private static func unreadable(_ upstream: String, _ what: String) -> APIError {
        APIError(
            502,
            .upstream,
            "upstream_invalid_response",
            "The upstream '\(upstream)' sent \(what) where a JSON object was expected."
        )
    }

    private static func refusedCredentials(status: Int, upstream: String) -> APIError {
        APIError(
            502,
            .upstream,
            "upstream_credentials",
            "The upstream '\(upstream)' refused this gateway's credentials (status \(status)). "
                + "The operator has to look at its api_key."
        )
    }

    private static func plain(status: Int, upstream: String) -> APIError {
        switch status {
        case 429:
            APIError(
                429,
                .rateLimit,
                "rate_limit_exceeded",
                "The upstream '\(upstream)' limits the rate of requests."
            )
        case 404:
            APIError(
                404,
                .notFound,
                "upstream_not_found",
                "The upstream '\(upstream)' does not know this model or path."
            )
        case 500..<600:
            APIError(
                status,
                .upstream,
                "upstream_error",
                "The upstream '\(upstream)' failed with status \(status)."
            )
        default:
            APIError(
                status,
                .invalidRequest,
                "upstream_refused",
                "The upstream '\(upstream)' refused the request with status \(status)."
            )
        }
    }

    /// The error inside of a stream that had not begun: its status where it names one.
    static func streamError(
        _ data: Span<UInt8>,
        upstream: String,
        scanner: inout JSONScanner
    ) -> (status: Int, passes: Bool) {
        guard scan(data, &scanner) else { return (502, false) }
        let tape = scanner.tape
        guard let error = tape.member("error", of: tape.root, in: data) else {
            return (502, false)
        }
        guard tape.kind(of: error) == .object else { return (502, false) }
        for name in ["code", "status", "status_code"] {
            guard let code = tape.member(named: name, of: error, in: data) else { continue }
            if let number = tape.integer(of: code, in: data), (400..<600).contains(number) {
                return (number == 401 || number == 402 || number == 403 ? 502 : number, true)
            }
        }
        if let type = tape.member("type", of: error, in: data) {
            if tape.equals(type, "rate_limit_error", in: data)
                || tape.equals(type, "rate_limit_exceeded", in: data)
            {
                return (429, true)
            }
            if tape.equals(type, "invalid_request_error", in: data) { return (400, true) }
            if tape.equals(type, "overloaded_error", in: data) { return (503, true) }
        }
        return (502, true)
    }
}
