// SPDX-License-Identifier: Apache-2.0

/// Finds the deployed model that a client means, and spells Claude's names both ways.
package enum ModelNames {
    /// The deployed names that may answer for a client's name, the best one first.
    ///
    /// In this order: the name itself; without a suffix in brackets; the same model with the same
    /// date; the same model without a date; and, when the client names no date, the same model with
    /// one, the newest first. Another date, version, variant or context size is another model.
    package static func candidates(
        forClientName name: String,
        among deployed: some Sequence<String>
    ) -> [String] {
        let plain = String(ModelIdentity.withoutBracket(name[...]))
        let wanted = ModelIdentity(plain)
        var ranked: [(rank: Int, date: String, name: String)] = []
        for candidate in deployed {
            if candidate == name {
                ranked.append((0, "", candidate))
                continue
            }
            if candidate == plain {
                ranked.append((1, "", candidate))
                continue
            }
            let identity = ModelIdentity(candidate)
            guard identity.isSameModel(as: wanted) else { continue }
            switch (wanted.date, identity.date) {
            case (let one, let two) where one == two: ranked.append((2, "", candidate))
            case (_, nil): ranked.append((3, "", candidate))
            case (nil, let date?): ranked.append((4, date, candidate))
            case (_?, _?): break
            }
        }
        ranked.sort { one, two in
            if one.rank != two.rank { return one.rank < two.rank }
            return one.date == two.date ? one.name < two.name : one.date > two.date
        }
        return ranked.map(\.name)
    }

    /// SAP's spelling of a name: `anthropic--claude-4.5-sonnet` of `claude-sonnet-4-5-20250929`.
    ///
    /// Nil for models of other families and names without a version.
    package static func sapName(forClaude name: String) -> String? {
        guard let claude = Claude(name) else { return nil }
        let version = claude.version.map(String.init).joined(separator: ".")
        return "anthropic--claude-\(version)-\(claude.variant)"
    }

    /// Anthropic's spelling of a name, without a date.
    ///
    /// From version 4 on the variant stands first: `claude-sonnet-4-5` of
    /// `anthropic--claude-4.5-sonnet`, but `claude-3-5-sonnet`. Nil as above.
    package static func anthropicName(forClaude name: String) -> String? {
        guard let claude = Claude(name) else { return nil }
        let version = claude.version.map(String.init).joined(separator: "-")
        return claude.version[0] >= 4
            ? "claude-\(claude.variant)-\(version)" : "claude-\(version)-\(claude.variant)"
    }

    private struct Claude {
        let version: [Int]
        let variant: String

        init?(_ name: String) {
            let identity = ModelIdentity(name)
            guard identity.family == "claude", let variant = identity.variants.first,
                identity.variants.count == 1, !identity.version.isEmpty
            else { return nil }
            version = identity.version
            self.variant = variant
        }
    }
}

extension ModelIdentity {
    /// Whether both names mean one model, apart from its date.
    ///
    /// Names of no known family are only the same when they are spelled the same.
    package func isSameModel(as other: ModelIdentity) -> Bool {
        guard let family, family == other.family else { return false }
        return version == other.version && variants == other.variants && context == other.context
    }
}
