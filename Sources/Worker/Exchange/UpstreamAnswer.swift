// SPDX-License-Identifier: Apache-2.0
import Dialects
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
        case 401, 402, 403:
            return .replace(refusedCredentials(status: status, upstream: upstream))
        case 400..<600:
            guard let reported else { return .replace(plain(status, upstream, nil)) }
            guard tape.kind(of: reported) == .object else {
                // Ollama and others: the text alone, which has no place in OpenAI's shape.
                return .replace(plain(status, upstream, message(reported, tape, body)))
            }
            return .pass(nil)
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

    /// An error of our own for `status`; `detail` is what the upstream said about it.
    private static func plain(_ status: Int, _ upstream: String, _ detail: String?) -> APIError {
        let kind: APIError.Kind
        let code: StaticString
        let what: String
        switch status {
        case 429:
            (kind, code) = (.rateLimit, "rate_limit_exceeded")
            what = "limits the rate of requests"
        case 404:
            (kind, code) = (.notFound, "upstream_not_found")
            what = "does not know this model or path"
        case 500..<600:
            (kind, code) = (.upstream, "upstream_error")
            what = "failed with status \(status)"
        default:
            (kind, code) = (.invalidRequest, "upstream_refused")
            what = "refused the request with status \(status)"
        }
        let reason = detail.map { ": \($0)" } ?? "."
        return APIError(status, kind, code, "The upstream '\(upstream)' \(what)\(reason)")
    }

    /// The error inside of a stream that had not begun: the status that it names, and an error of
    /// ours where its own has not OpenAI's shape.
    static func streamError(
        _ data: Span<UInt8>,
        upstream: String,
        scanner: inout JSONScanner
    ) -> (status: Int, instead: APIError?) {
        guard scan(data, &scanner) else { return (502, plain(502, upstream, nil)) }
        let tape = scanner.tape
        guard let error = tape.member("error", of: tape.root, in: data) else {
            return (502, plain(502, upstream, nil))
        }
        guard tape.kind(of: error) == .object else {
            return (502, plain(502, upstream, message(error, tape, data)))
        }
        return (namedStatus(error, tape, data), nil)
    }

    /// The status that an error object names, 502 without one.
    private static func namedStatus(
        _ error: JSONNode,
        _ tape: JSONTape,
        _ data: Span<UInt8>
    ) -> Int {
        for name in ["code", "status", "status_code"] {
            guard let code = tape.member(named: name, of: error, in: data) else { continue }
            if let number = tape.integer(of: code, in: data), (400..<600).contains(number) {
                return (401...403).contains(number) ? 502 : number
            }
        }
        guard let type = tape.member("type", of: error, in: data) else { return 502 }
        let isRateLimit =
            tape.equals(type, "rate_limit_error", in: data)
            || tape.equals(type, "rate_limit_exceeded", in: data)
        if isRateLimit { return 429 }
        if tape.equals(type, "invalid_request_error", in: data) { return 400 }
        return tape.equals(type, "overloaded_error", in: data) ? 503 : 502
    }
}
