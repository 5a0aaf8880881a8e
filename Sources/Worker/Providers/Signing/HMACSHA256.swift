// SPDX-License-Identifier: Apache-2.0
package import Config

/// A keyed hash over SHA-256.
///
/// A value: copying one that was only given its key keeps the two blocks which the key costs, so
/// that a key that signs often is hashed once.
///
/// Spec: RFC 2104 section 2.
package struct HMACSHA256 {
    private static let blockBytes = 64

    private var inner = SHA256()
    private var outer = SHA256()

    package init(key: Span<UInt8>) {
        var block: [64 of UInt8] = .init(repeating: 0)
        if key.count > Self.blockBytes {
            let digest = SHA256.digest(of: key).bytes
            for index in 0..<32 { block[index] = digest[index] }
        } else {
            for index in 0..<key.count { block[index] = key[index] }
        }
        for index in 0..<Self.blockBytes { block[index] ^= 0x36 }
        inner.update(block.span)
        // 0x5c over the key: the inner mask is taken off again with it.
        for index in 0..<Self.blockBytes { block[index] ^= 0x36 ^ 0x5C }
        outer.update(block.span)
    }

    package mutating func update(_ bytes: Span<UInt8>) {
        inner.update(bytes)
    }

    /// Ends the message; the value is used up.
    package mutating func finish() -> SHA256.Digest {
        let digest = inner.finish().bytes
        outer.update(digest.span)
        return outer.finish()
    }

    /// The code of one whole message.
    package func code(of message: Span<UInt8>) -> SHA256.Digest {
        var copy = self
        copy.update(message)
        return copy.finish()
    }

    package func code(of message: String) -> SHA256.Digest {
        var copy = self
        var message = message
        // SAFETY: the span does not outlive the closure.
        message.withUTF8 { unsafe copy.update($0.span) }
        return copy.finish()
    }
}
