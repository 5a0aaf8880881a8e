// SPDX-License-Identifier: Apache-2.0

/// Where an upstream is: `http://` or `https://`, a host, perhaps a port and a path.
package struct BaseURL: Equatable, Sendable {
    package enum Scheme: String, Sendable {
        case http, https

        var port: UInt16 {
            switch self {
            case .http: 80
            case .https: 443
            }
        }
    }

    package let scheme: Scheme
    /// A name or a numeric address, IPv6 without brackets.
    package let host: String
    package let port: UInt16
    /// Without a slash at the end: empty or `/v1`.
    package private(set) var path: String
    /// Whether parts come from references, so that the path is not shown.
    private let isMasked: Bool

    /// Why a text is no base URL.
    package enum Failure: Error, Equatable {
        case scheme
        case userinfo
        case queryOrFragment
        case host
        case port
        case path
    }

    /// Takes a URL apart; anything that needs repair is refused.
    package init(_ text: String, isMasked: Bool = false) throws(Failure) {
        self.isMasked = isMasked
        var rest = text[...]
        if rest.hasPrefix("https://") {
            scheme = .https
            rest = rest.dropFirst(8)
        } else if rest.hasPrefix("http://") {
            scheme = .http
            rest = rest.dropFirst(7)
        } else {
            throw .scheme
        }
        if rest.contains("?") || rest.contains("#") { throw .queryOrFragment }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<slash]
        var path = rest[slash...]
        if authority.contains("@") { throw .userinfo }
        while path.hasSuffix("/") {
            path = path.dropLast()
        }
        guard path.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") })
        else { throw .path }
        self.path = String(path)
        let colon = authority.lastIndex(of: ":")
        let bracket = authority.lastIndex(of: "]")
        if let colon, bracket.map({ $0 < colon }) ?? true {
            let digits = authority[authority.index(after: colon)...]
            guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits),
                port > 0
            else { throw .port }
            self.port = port
            authority = authority[..<colon]
        } else {
            port = scheme.port
        }
        if authority.hasPrefix("[") {
            guard authority.hasSuffix("]") else { throw .host }
            authority = authority.dropFirst().dropLast()
            guard !authority.isEmpty, authority.utf8.allSatisfy(Self.isAddressByte) else {
                throw .host
            }
        } else {
            guard !authority.isEmpty, authority.utf8.allSatisfy(Self.isNameByte) else {
                throw .host
            }
        }
        host = String(authority)
    }

    /// The same place without `suffix` at the end of its path.
    func without(suffix: String) -> BaseURL {
        guard path.hasSuffix(suffix) else { return self }
        var url = self
        url.path.removeLast(suffix.count)
        return url
    }

    /// Letters, digits and the marks of names; names beyond ASCII have to come in their ASCII form.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension BaseURL: CustomStringConvertible, CustomReflectable {
    package var customMirror: Mirror { Mirror(self, children: ["url": description]) }

    /// The URL; its host is no secret, its path is when it came from one.
    package var description: String {
        let path = isMasked && !path.isEmpty ? "/***" : path
        let host = host.contains(":") ? "[\(host)]" : host
        let shownPort = port == scheme.port ? "" : ":\(port)"
        return "\(scheme.rawValue)://\(host)\(shownPort)\(path)"
    }
}

extension BaseURL.Failure {
    /// Says what is wrong without showing the text, which may hold a secret.
    var message: String {
        switch self {
        case .scheme: "write a URL that starts with http:// or https://"
        case .userinfo: "a user name or password in the URL is not taken; use api_key or headers"
        case .queryOrFragment: "a query or fragment in the URL is not taken"
        case .host: "the host of the URL is missing or has wrong characters"
        case .port: "the port of the URL must be a number from 1 to 65535"
        case .path: "the path of the URL has characters that must be percent-encoded"
        }
    }
}
