// SPDX-License-Identifier: Apache-2.0
import Config

/// The key that came with the last request of a connection, and whose it is.
///
/// A client sends the same key with every request, and hashing it each time costs more than any
/// other step of the admission. Comparing takes the same time wherever two keys differ: a front
/// proxy may mix many clients on one connection.
struct CredentialMemo {
    /// Longest key that is kept; longer ones are hashed each time.
    private static let secretBytesMax = 256

    private var secret: [UInt8] = []
    private var key: Int?

    /// Index of the client whose secret is `text`; nil when it is nobody's.
    mutating func find(_ text: Span<UInt8>, in keys: KeyTable) -> Int? {
        if let key, matches(text) { return key }
        guard let found = keys.find(secret: text) else { return nil }
        guard text.count <= Self.secretBytesMax else { return found }
        secret.removeAll(keepingCapacity: true)
        for index in 0..<text.count { secret.append(text[index]) }
        key = found
        return found
    }

    private func matches(_ text: Span<UInt8>) -> Bool {
        guard text.count == secret.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<text.count { difference |= text[index] ^ secret[index] }
        return difference == 0
    }
}
