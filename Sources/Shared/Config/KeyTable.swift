// SPDX-License-Identifier: Apache-2.0

/// A client that may come in.
package struct ClientKey: Equatable, Sendable {
    package let name: String
    /// SHA-256 of the secret; the secret itself is nowhere.
    package let digest: SHA256.Digest
    package let user: String?
    package let org: String?
    /// Models the client may ask for; nil allows all.
    package let models: [NamePattern]?

    package init(
        name: String,
        digest: SHA256.Digest,
        user: String?,
        org: String?,
        models: [NamePattern]?
    ) {
        self.name = name
        self.digest = digest
        self.user = user
        self.org = org
        self.models = models
    }

    /// Whether the client may ask for `model`, as it wrote it.
    ///
    /// A `[1m]` at its end needs no permission of its own.
    package func allows(model: Span<UInt8>) -> Bool {
        guard let models else { return true }
        let suffix = ModelTable.suffixCount(of: model)
        for pattern in models {
            if pattern.matches(model) { return true }
            if suffix > 0, pattern.matches(model.extracting(droppingLast: suffix)) { return true }
        }
        return false
    }
}

/// Finds a client by its secret.
package struct KeyTable: Equatable, Sendable {
    /// In the order of the file.
    package let keys: [ClientKey]
    /// Indices sorted by the first word of the digest.
    private let order: [Int]

    package init(_ keys: [ClientKey]) {
        self.keys = keys
        order = keys.indices.sorted { keys[$0].digest.words[0] < keys[$1].digest.words[0] }
    }

    /// Index of the key whose secret is `secret`; allocates nothing.
    ///
    /// The search order depends on the hash alone, which a caller cannot steer towards a key.
    package func find(secret: Span<UInt8>) -> Int? {
        if keys.isEmpty { return nil }
        let digest = SHA256.digest(of: secret)
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if keys[order[middle]].digest.words[0] < digest.words[0] {
                low = middle + 1
            } else {
                high = middle
            }
        }
        while low < order.count, keys[order[low]].digest.words[0] == digest.words[0] {
            if keys[order[low]].digest == digest { return order[low] }
            low += 1
        }
        return nil
    }
}
