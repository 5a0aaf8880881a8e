// SPDX-License-Identifier: Apache-2.0

extension SHA256.Digest {
    /// The 32 bytes, as a key of another hash takes them.
    package var bytes: [32 of UInt8] {
        var bytes: [32 of UInt8] = .init(repeating: 0)
        for index in 0..<32 {
            let shift = UInt64(56 - index % 8 * 8)
            bytes[index] = UInt8(truncatingIfNeeded: words[index / 8] >> shift)
        }
        return bytes
    }
}
