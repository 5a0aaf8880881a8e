// SPDX-License-Identifier: Apache-2.0

/// Where a request for a model goes when only the first target of an entry counts.
package struct ModelTarget: Equatable, Sendable {
    /// The model name that the upstream gets.
    package enum Name: Equatable, Sendable {
        /// The client's, as it stands.
        case unchanged
        /// The client's without this many bytes at its front (`UPSTREAM/`).
        case withoutPrefix(Int)
        case replaced(String)
    }

    /// Index in `Config.upstreams`.
    package let upstream: Int
    package let name: Name
    /// Index in `ModelTable.entries`; nil for `UPSTREAM/MODEL`.
    package let entry: Int?

    package init(upstream: Int, name: Name, entry: Int?) {
        self.upstream = upstream
        self.name = name
        self.entry = entry
    }
}

extension ModelTable {
    /// The first target of the route of `model`; nil when nobody answers for it.
    package func target(forModel model: Span<UInt8>) -> ModelTarget? {
        guard let route = route(forModel: model) else { return nil }
        let range = nameRange(of: route, in: model)
        var cut: String?
        if range.upperBound < model.count {
            cut = String(decoding: range.map { model[$0] }, as: UTF8.self)
        }
        switch route {
        case .direct(let upstream, let prefix):
            let name = cut.map { ModelTarget.Name.replaced($0) } ?? .withoutPrefix(prefix)
            return ModelTarget(upstream: upstream, name: name, entry: nil)
        case .entry(let index):
            let target = entries[index].targets[0]
            let name = (target.model ?? cut).map { ModelTarget.Name.replaced($0) } ?? .unchanged
            return ModelTarget(upstream: target.upstream, name: name, entry: index)
        }
    }

    package func target(forModel model: String) -> ModelTarget? {
        let bytes = Array(model.utf8)
        return target(forModel: bytes.span)
    }
}
