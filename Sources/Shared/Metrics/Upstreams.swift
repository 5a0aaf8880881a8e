// SPDX-License-Identifier: Apache-2.0

/// An upstream as a small number: its place in the configuration, or none.
package struct UpstreamIndex: Hashable {
    /// Upstreams of one configuration.
    ///
    /// Limit: one series set per upstream and route must stay readable for Prometheus; the largest
    /// fleets known have a few dozen.
    package static let upstreamsMax = 256

    /// The gateway answered by itself.
    package static let none = UpstreamIndex(raw: 0)

    /// 0 for none, else the place in the configuration plus 1.
    let raw: Int

    /// The upstream at `position` of the configured list; nil beyond the limit.
    package init?(position: Int) {
        guard position >= 0, position < Self.upstreamsMax else { return nil }
        raw = position + 1
    }

    init(raw: Int) {
        self.raw = raw
    }
}

/// What the labels of an upstream say.
package struct UpstreamDefinition: Hashable {
    /// Longest name that travels from a worker; longer ones are cut at a character.
    package static let nameBytesMax = 64

    /// The upstream's name in the configuration.
    package let name: String
    /// `gen_ai.provider.name` of the OpenTelemetry conventions, for example `openai`.
    package let provider: String

    package init(name: String, provider: String) {
        self.name = Self.bounded(name)
        self.provider = provider
    }

    /// Requests that no upstream answered.
    package static let none = UpstreamDefinition(name: "none", provider: "none")
    /// Upstreams that the supervisor's configuration does not name.
    package static let other = UpstreamDefinition(name: "other", provider: "other")

    /// `name` cut to `nameBytesMax`.
    static func bounded(_ name: String) -> String {
        guard name.utf8.count > nameBytesMax else { return name }
        var kept = ""
        for scalar in name.unicodeScalars {
            guard kept.utf8.count + UTF8.width(scalar) <= nameBytesMax else { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept
    }
}
