// SPDX-License-Identifier: Apache-2.0
package import Config
import JSON

/// An access token that was just fetched.
package struct SAPTokenReply: Equatable, Sendable {
    package let token: Secret
    /// How long the token lives from when it was asked for.
    package let lifetimeSeconds: Int

    /// What other clients assume when the server does not say.
    package static let lifetimeSecondsDefault = 14_400
    /// Longer lifetimes are cut to this: credentials that were taken back must not work for ever.
    package static let lifetimeSecondsMax = 7 * 86_400
    /// A header line of this size still passes the limits of common servers.
    package static let tokenBytesMax = 16 << 10
    /// An answer holds one token; the scanner refuses more before it reads.
    private static let limits = JSONLimits(bytesMax: 256 << 10)

    package init(token: Secret, lifetimeSeconds: Int) {
        self.token = token
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// Reads the answer of the token server.
    package static func parse(
        status: Int,
        body: Span<UInt8>
    ) -> Result<SAPTokenReply, TokenFailure> {
        do {
            return .success(try read(status: status, body: body))
        } catch {
            return .failure(error)
        }
    }

    private static func read(
        status: Int,
        body: Span<UInt8>
    ) throws(TokenFailure) -> SAPTokenReply {
        var scanner = JSONScanner(limits: limits)
        var isObject = false
        do {
            isObject =
                try scanner.scan(body, isFinal: true)
                && scanner.tape.kind(of: scanner.tape.root) == .object
        } catch {
            // The status decides what that means, and the error would quote the body.
            isObject = false
        }
        let tape = scanner.tape
        switch status {
        case 200..<300: break
        case 400, 401, 403:
            guard isObject else { throw .refused(status: status, nil, nil) }
            let root = tape.root
            let code = tape.member("error", of: root, in: body)
                .flatMap { tape.string(of: $0, in: body) }
            let description = tape.member("error_description", of: root, in: body)
                .flatMap { tape.string(of: $0, in: body) }
            throw .refused(
                status: status,
                code.flatMap { TokenFailure.Code(rawValue: $0) },
                description.flatMap { TokenFailure.Description(rawValue: $0) }
            )
        default: throw .unexpectedStatus(status)
        }
        guard isObject else { throw .malformed }
        guard let node = tape.member("access_token", of: tape.root, in: body),
            let token = tape.string(of: node, in: body), !token.isEmpty
        else { throw .noToken }
        // A byte outside of visible ASCII would break the header line it goes into.
        guard token.utf8.count <= tokenBytesMax,
            token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .unusableToken }
        return SAPTokenReply(
            token: Secret(token),
            lifetimeSeconds: try lifetime(tape, body)
        )
    }

    /// Servers send `expires_in` as a number; some send its digits as text.
    private static func lifetime(
        _ tape: JSONTape,
        _ body: Span<UInt8>
    ) throws(TokenFailure) -> Int {
        guard let node = tape.member("expires_in", of: tape.root, in: body), !tape.isNull(node)
        else { return lifetimeSecondsDefault }
        let seconds =
            tape.number(of: node, in: body)
            ?? tape.string(of: node, in: body).flatMap { Int($0) }.map { Double($0) }
        guard let seconds, seconds >= 1 else { throw .lifetime }
        return Int(min(seconds, Double(lifetimeSecondsMax)))
    }
}
