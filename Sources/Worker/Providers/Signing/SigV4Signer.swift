// SPDX-License-Identifier: Apache-2.0
package import Config

/// Signs requests to Amazon Web Services with one pair of keys, for one service in one region.
///
/// Pure: the caller passes the time. The derived key is kept for its day.
///
/// Spec: AWS Signature Version 4 (AWS4-HMAC-SHA256), the rules for services other than S3.
package struct SigV4Signer {
    /// A header line of the request that the signature covers.
    package struct Field: Equatable, Sendable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// One request, as it goes onto the wire.
    package struct Request {
        package var method: String
        /// The path of the request target, percent-encoded as sent.
        package var path: String
        /// What follows `?` in the request target, as sent; empty without one.
        package var query: String
        /// `host` and whatever else is to be covered, such as `content-type`.
        ///
        /// None of the lines that the signer adds.
        package var fields: [Field]
        /// The hash of the body's bytes; of nothing for a request without a body.
        package var payload: SHA256.Digest

        package init(
            method: String,
            path: String,
            query: String = "",
            fields: [Field],
            payload: SHA256.Digest
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.fields = fields
            self.payload = payload
        }
    }

    private static let algorithm = "AWS4-HMAC-SHA256"

    private let region: String
    private let service: String
    private let accessKeyID: String
    private let secretAccessKey: Secret
    private let sessionToken: Secret?
    private let sendsPayloadHash: Bool
    /// The key of the day it was derived for.
    private var derived: (day: Int, key: HMACSHA256)?

    /// Keys for one service in one region.
    ///
    /// The name of the service is what is signed: `bedrock` for the Bedrock runtime. A session
    /// token comes with temporary keys. `sendsPayloadHash` says whether `x-amz-content-sha256` is
    /// sent and covered; the payload is covered either way.
    package init(
        region: String,
        service: String,
        accessKeyID: String,
        secretAccessKey: Secret,
        sessionToken: Secret? = nil,
        sendsPayloadHash: Bool = true
    ) {
        self.region = region
        self.service = service
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.sendsPayloadHash = sendsPayloadHash
    }

    /// The lines that make `request` a signed one.
    ///
    /// `x-amz-date`, `x-amz-security-token` with temporary keys, `x-amz-content-sha256` unless it
    /// was declined, and `authorization`. The time is that of the request: servers accept a
    /// difference of 5 minutes.
    package mutating func sign(_ request: Request, unixSeconds: Int) -> [OutgoingField] {
        let time = CivilTime(unixSeconds: unixSeconds)
        var added = [OutgoingField("x-amz-date", time.basicText)]
        if let sessionToken {
            added.append(OutgoingField("x-amz-security-token", sessionToken.revealed))
        }
        let payload = request.payload.hexadecimal
        if sendsPayloadHash {
            added.append(OutgoingField("x-amz-content-sha256", payload))
        }

        let fields = request.fields + added.map { Field($0.name, $0.value) }
        let headers = CanonicalHeaders(fields)
        let canonical = [
            request.method,
            Self.canonicalPath(request.path),
            Self.canonicalQuery(request.query),
            headers.lines,
            headers.names,
            payload,
        ].joined(separator: "\n")

        let scope = "\(time.basicDate)/\(region)/\(service)/aws4_request"
        let text = [
            Self.algorithm, time.basicText, scope, Self.digest(of: canonical).hexadecimal,
        ].joined(separator: "\n")
        let signature = key(of: time, unixSeconds: unixSeconds).code(of: text).hexadecimal
        added.append(
            OutgoingField(
                "authorization",
                """
                \(Self.algorithm) Credential=\(accessKeyID)/\(scope), \
                SignedHeaders=\(headers.names), Signature=\(signature)
                """
            )
        )
        return added
    }

    // MARK: Key

    private mutating func key(of time: CivilTime, unixSeconds: Int) -> HMACSHA256 {
        let day = unixSeconds / CivilTime.secondsPerDay
        if let derived, derived.day == day { return derived.key }
        let digest = Self.signingKey(
            secretAccessKey: secretAccessKey,
            date: time.basicDate,
            region: region,
            service: service
        )
        let key = HMACSHA256(key: digest.bytes.span)
        derived = (day, key)
        return key
    }

    /// The key of one day, region and service.
    package static func signingKey(
        secretAccessKey: Secret,
        date: String,
        region: String,
        service: String
    ) -> SHA256.Digest {
        var secret = "AWS4" + secretAccessKey.revealed
        // SAFETY: the span does not outlive the closure.
        var digest = secret.withUTF8 { unsafe HMACSHA256(key: $0.span) }.code(of: date)
        for step in [region, service, "aws4_request"] {
            digest = HMACSHA256(key: digest.bytes.span).code(of: step)
        }
        return digest
    }

    // MARK: Canonical form

    /// The path without `.`, `..` and empty segments, each segment percent-encoded once more.
    package static func canonicalPath(_ path: String) -> String {
        var segments: [Substring] = []
        for segment in path.split(separator: "/", omittingEmptySubsequences: true) {
            switch segment {
            case ".": break
            case "..": _ = segments.popLast()
            default: segments.append(segment)
            }
        }
        guard !segments.isEmpty else { return "/" }
        let encoded = segments.map { "/" + PercentEncoding.encode(String($0)) }.joined()
        return path.hasSuffix("/") || path.hasSuffix("/.") || path.hasSuffix("/..")
            ? encoded + "/" : encoded
    }

    /// The parameters, which are percent-encoded as they are, in the order of their bytes.
    package static func canonicalQuery(_ query: String) -> String {
        guard !query.isEmpty else { return "" }
        let pairs = query.split(separator: "&").map { pair -> (name: [UInt8], value: [UInt8]) in
            let bytes = pair.utf8
            guard let mark = bytes.firstIndex(of: UInt8(ascii: "=")) else {
                return (Array(bytes), [])
            }
            return (Array(bytes[..<mark]), Array(bytes[bytes.index(after: mark)...]))
        }
        let ordered = pairs.sorted { one, two in
            one.name == two.name
                ? one.value.lexicographicallyPrecedes(two.value)
                : one.name.lexicographicallyPrecedes(two.name)
        }
        return ordered.map { pair in
            String(decoding: pair.name, as: UTF8.self) + "="
                + String(decoding: pair.value, as: UTF8.self)
        }.joined(separator: "&")
    }

    private static func digest(of text: String) -> SHA256.Digest {
        var text = text
        // SAFETY: the span does not outlive the closure.
        return text.withUTF8 { unsafe SHA256.digest(of: $0.span) }
    }
}

/// Header lines in the form that is signed: names in lower case and in order, values without spare
/// white space, lines of one name joined.
private struct CanonicalHeaders {
    /// One line per name, each with its line end.
    let lines: String
    /// The names, separated by semicolons.
    let names: String

    init(_ fields: [SigV4Signer.Field]) {
        var values: [String: [String]] = [:]
        for field in fields {
            values[Self.lowercased(field.name), default: []].append(Self.trimmed(field.value))
        }
        let ordered = values.sorted { one, two in
            one.key.utf8.lexicographicallyPrecedes(two.key.utf8)
        }
        lines = ordered.map { "\($0.key):\($0.value.joined(separator: ","))\n" }.joined()
        names = ordered.map(\.key).joined(separator: ";")
    }

    private static func lowercased(_ name: String) -> String {
        String(
            decoding: name.utf8.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 },
            as: UTF8.self
        )
    }

    /// Without spaces at the ends, runs of spaces as one.
    private static func trimmed(_ value: String) -> String {
        value.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
    }
}
