// SPDX-License-Identifier: Apache-2.0
import JSON

/// The members of a service key that count, as they are written.
struct ServiceKeyText {
    enum Member: String, CaseIterable {
        case clientID = "clientid"
        case clientSecret = "clientsecret"
        case url
        case certificateURL = "certurl"
        case certificate
        case key
        case identityZoneID = "identityzoneid"
        case apiURL = "serviceurls.AI_API_URL"
    }

    /// What is wrong; names the member and shows no value.
    struct Failure: Error, Equatable {
        let member: Member?
        let message: String

        init(_ member: Member?, _ message: String) {
            self.member = member
            self.message = message
        }
    }

    private static let tokenPath = "/oauth/token"

    var values: [Member: String] = [:]

    init() {}

    /// Where the members of a key stand: in the object itself or in its `credentials`.
    static func nodes(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> [Member: JSONNode] {
        let inner = tape.member("credentials", of: root, in: bytes)
        let object = inner.flatMap { tape.kind(of: $0) == .object ? $0 : nil } ?? root
        var nodes: [Member: JSONNode] = [:]
        for member in Member.allCases {
            switch member {
            case .apiURL:
                let urls = tape.member("serviceurls", of: object, in: bytes)
                guard let urls, tape.kind(of: urls) == .object else { continue }
                nodes[member] = tape.member("AI_API_URL", of: urls, in: bytes)
            case .clientID, .clientSecret, .url, .certificateURL, .certificate, .key,
                .identityZoneID:
                nodes[member] = tape.member(named: member.rawValue, of: object, in: bytes)
            }
        }
        return nodes
    }

    /// Reads a key from JSON text, as a file or a variable holds it.
    init(_ text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner()
        do throws(JSONError) {
            _ = try scanner.scan(bytes.span, isFinal: true)
        } catch {
            let place = error.position(in: bytes.span)
            throw Failure(nil, "is no JSON (line \(place.line), column \(place.column) of it)")
        }
        let tape = scanner.tape
        guard tape.kind(of: tape.root) == .object else {
            throw Failure(nil, "must be a JSON object")
        }
        let nodes = Self.nodes(tape.root, tape, bytes.span)
        for member in Member.allCases {
            guard let node = nodes[member] else { continue }
            guard let value = tape.string(of: node, in: bytes.span) else {
                throw Failure(member, "must be a string")
            }
            values[member] = value
        }
    }

    /// The base URL of the deployments; nil when the key does not say.
    var apiURL: String? { values[.apiURL].flatMap { $0.isEmpty ? nil : $0 } }

    /// The key, if everything that it needs is there.
    func serviceKey() throws(Failure) -> SAPServiceKey {
        let clientID = try required(.clientID)
        let secret = values[.clientSecret].flatMap { $0.isEmpty ? nil : $0 }
        if secret == nil, values[.certificate] == nil {
            let message = "is missing, and there is no certificate in its place"
            throw Failure(.clientSecret, message)
        }
        var key = SAPServiceKey(
            tokenURL: try tokenURL(secret == nil ? .certificateURL : .url),
            clientID: clientID
        )
        if let secret {
            try check(.clientSecret, secret)
            key.clientSecret = Secret(secret)
        } else {
            key.certificatePEM = Secret(try pem(.certificate))
            key.keyPEM = Secret(try pem(.key))
        }
        if let zone = values[.identityZoneID], !zone.isEmpty {
            try check(.identityZoneID, zone)
            key.identityZoneID = zone
        }
        return key
    }

    private func required(_ member: Member) throws(Failure) -> String {
        guard let value = values[member], !value.isEmpty else {
            throw Failure(member, "is missing")
        }
        try check(member, value)
        return value
    }

    /// Refuses what could break out of a field or a form.
    private func check(_ member: Member, _ value: String) throws(Failure) {
        guard
            member == .certificate || member == .key
                || value.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { throw Failure(member, "must be printable ASCII") }
    }

    private func tokenURL(_ member: Member) throws(Failure) -> String {
        let text = try required(member)
        do throws(BaseURL.Failure) {
            let url = try BaseURL(text).description
            return url.hasSuffix(Self.tokenPath) ? url : url + Self.tokenPath
        } catch {
            throw Failure(member, "is no usable URL: \(error.message)")
        }
    }

    /// PEM text; line ends may be written as a backslash and an n.
    private func pem(_ member: Member) throws(Failure) -> String {
        let text = try required(member)
        var lines = ""
        var rest = text[...]
        while let escape = rest.firstRange(of: "\\n") {
            lines += rest[..<escape.lowerBound] + "\n"
            rest = rest[escape.upperBound...]
        }
        lines += rest
        guard lines.contains("-----BEGIN "), lines.contains("-----END ") else {
            throw Failure(member, "is no PEM text")
        }
        return lines
    }
}
