// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// An address that a stream socket binds to or connects from.
package enum SocketAddress: Equatable, Hashable, Sendable {
    case ipv4(octets: [UInt8], port: UInt16)
    case ipv6(octets: [UInt8], port: UInt16)
    /// A path in the file system, or a name in the abstract namespace when it starts with `@`.
    case unix(path: String)

    /// Longest path of a Unix socket: `sun_path` has 108 bytes with the final NUL.
    ///
    /// unix(7).
    package static let unixPathBytesMax = 107

    /// Parses `HOST:PORT`, `[V6]:PORT` or `unix:PATH`; nil when `text` is none of them.
    ///
    /// HOST is a numeric IPv4 address, `localhost`, or `*` for every IPv4 address.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, path.utf8.count <= Self.unixPathBytesMax else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
            let port = UInt16(digits)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard let (family, octets) = Self.parseIP(host), family == 6 else { return nil }
            self = .ipv6(octets: octets, port: port)
            return
        }
        if host == "localhost" { host = "127.0.0.1" }
        if host == "*" { host = "0.0.0.0" }
        guard let (family, octets) = Self.parseIP(host), family == 4 else { return nil }
        self = .ipv4(octets: Array(octets.prefix(4)), port: port)
    }

    /// Family (4 or 6) and octets of a numeric address, nil when `text` is none.
    package static func parseIP(_ text: String) -> (family: Int32, octets: [UInt8])? {
        var octets = [UInt8](repeating: 0, count: 16)
        // SAFETY: the callee writes at most 16 bytes.
        let family = unsafe octets.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return Int32(0) }
            return unsafe clinux_parse_ip(text, base)
        }
        return family == 0 ? nil : (family, octets)
    }

    /// Whether only this machine can reach the address.
    package var isLoopback: Bool {
        switch self {
        case .ipv4(let octets, _): octets.first == 127
        case .ipv6(let octets, _): octets == Array(repeating: 0, count: 15) + [1]
        case .unix: true
        }
    }

    package var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port): port
        case .unix: nil
        }
    }

    /// The address without its port: what a log line or a limit per client address uses.
    package var host: String {
        switch self {
        case .ipv4(let octets, _): Self.format(family: 4, octets)
        case .ipv6(let octets, _): Self.format(family: 6, octets)
        case .unix: "unix"
        }
    }

    private static func format(family: Int32, _ octets: [UInt8]) -> String {
        let padded = octets + Array(repeating: 0, count: max(0, 16 - octets.count))
        var text: InlineArray<64, CChar> = .init(repeating: 0)
        var span = text.mutableSpan
        // SAFETY: the callee writes at most 64 bytes, ended with NUL, and reads 16.
        return unsafe span.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return "" }
            let result = unsafe padded.withUnsafeBufferPointer { source -> Int32 in
                guard let bytes = source.baseAddress else { return -1 }
                return unsafe clinux_format_ip(family, bytes, base, buffer.count)
            }
            return result == 0 ? unsafe String(cString: base) : ""
        }
    }

    /// The kernel's form of the address.
    func raw() throws(Errno) -> clinux_address {
        var address = clinux_address()
        let result: Int32
        switch self {
        case .ipv4(let octets, let port):
            guard octets.count == 4 else { throw .invalid }
            // SAFETY: four octets were checked.
            result = unsafe octets.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return -Errno.invalid.code }
                return unsafe clinux_address_ipv4(&address, base, port)
            }
        case .ipv6(let octets, let port):
            guard octets.count == 16 else { throw .invalid }
            // SAFETY: sixteen octets were checked.
            result = unsafe octets.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return -Errno.invalid.code }
                return unsafe clinux_address_ipv6(&address, base, port)
            }
        case .unix(let path):
            result = unsafe clinux_address_unix(&address, path)
        }
        if result < 0 { throw Errno(code: -result) }
        return address
    }

    init(raw: clinux_address) {
        var octets = [UInt8](repeating: 0, count: 16)
        var port: UInt16 = 0
        var raw = raw
        // SAFETY: the callee writes 16 octets.
        let family = unsafe octets.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return Int32(0) }
            return unsafe clinux_address_parts(&raw, base, &port)
        }
        switch family {
        case 4: self = .ipv4(octets: Array(octets.prefix(4)), port: port)
        case 6: self = .ipv6(octets: octets, port: port)
        default: self = .unix(path: Self.unixPath(raw))
        }
    }

    /// The path in a Unix address; empty for a socket without a name.
    private static func unixPath(_ raw: clinux_address) -> String {
        var raw = raw
        let length = Int(raw.length)
        // SAFETY: the bytes are read inside the closure, within the fixed array they lie in.
        let path = unsafe withUnsafeBytes(of: &raw.bytes) { bytes in
            unsafe Array(bytes.prefix(length).dropFirst(2))
        }
        // sun_path starts behind the two bytes of the family. unix(7).
        guard let first = path.first else { return "" }
        if first == 0 { return "@" + String(decoding: path.dropFirst(), as: UTF8.self) }
        return String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)
    }
}

extension SocketAddress: CustomStringConvertible {
    /// The form that the configuration uses.
    package var description: String {
        switch self {
        case .ipv4(_, let port): "\(host):\(port)"
        case .ipv6(_, let port): "[\(host)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
