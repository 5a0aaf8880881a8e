// SPDX-License-Identifier: Apache-2.0

extension JSONTape {
    /// Members up to which names are compared pair by pair, which needs no memory.
    private static let pairwiseMembersMax = 16

    /// The first member name of `object` that stood there before; nil when all differ.
    ///
    /// Readers disagree on which of two members counts, so whoever decides by one value while
    /// another reads the same bytes should refuse such objects.
    package func duplicateName(in object: JSONNode, bytes: Span<UInt8>) -> JSONNode? {
        var seen = 0
        for member in members(of: object) {
            if seen == Self.pairwiseMembersMax {
                return duplicateNameByHash(in: object, bytes: bytes)
            }
            for earlier in members(of: object).prefix(seen)
            where namesAreEqual(earlier.name, member.name, in: bytes) {
                return member.name
            }
            seen += 1
        }
        return nil
    }

    /// The first member name in the whole document that its object held before.
    package func duplicateName(bytes: Span<UInt8>) -> JSONNode? {
        var index: UInt32 = 0
        while index < count {
            let node = JSONNode(index: index)
            if kind(of: node) == .object, let name = duplicateName(in: node, bytes: bytes) {
                return name
            }
            index += 1
        }
        return nil
    }

    /// As `duplicateName(in:bytes:)` in linear time.
    private func duplicateNameByHash(in object: JSONNode, bytes: Span<UInt8>) -> JSONNode? {
        var nameByHash: [Int: JSONNode] = [:]
        for member in members(of: object) {
            let hash = nameHash(member.name, in: bytes)
            // Two names with one 64-bit keyed hash do not happen, and would only be let through.
            guard let earlier = nameByHash.updateValue(member.name, forKey: hash) else { continue }
            if namesAreEqual(earlier, member.name, in: bytes) {
                return member.name
            }
        }
        return nil
    }

    private func nameHash(_ name: JSONNode, in bytes: Span<UInt8>) -> Int {
        let content = bytes.extracting(contentRange(of: name))
        var hasher = Hasher()
        var unescaper = JSONUnescaper()
        while let piece = unescaper.next(in: content) {
            for index in 0..<piece.count {
                hasher.combine(piece[index])
            }
        }
        return hasher.finalize()
    }

    private func namesAreEqual(_ one: JSONNode, _ two: JSONNode, in bytes: Span<UInt8>) -> Bool {
        let first = bytes.extracting(contentRange(of: one))
        let second = bytes.extracting(contentRange(of: two))
        if !hasEscapes(two) { return equals(one, second, in: bytes) }
        if !hasEscapes(one) { return equals(two, first, in: bytes) }
        return string(of: one, in: bytes) == string(of: two, in: bytes)
    }
}
