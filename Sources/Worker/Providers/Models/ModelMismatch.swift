// SPDX-License-Identifier: Apache-2.0

/// A configured name that says something else than the model that runs behind it.
package struct ModelMismatch: Equatable, Sendable {
    /// What the two names disagree about.
    package enum Aspect: String, CaseIterable, Sendable {
        case family
        case version
        case variant
    }

    /// The name that clients use.
    package let configured: String
    package let deploymentID: String
    /// The model that the deployment says it runs.
    package let running: String
    /// At least one.
    package let aspects: [Aspect]

    /// Nil when the names agree as far as both say something.
    package init?(configured: String, deploymentID: String, running: String) {
        let aspects = Self.aspects(ModelIdentity(configured), ModelIdentity(running))
        guard !aspects.isEmpty else { return nil }
        self.configured = configured
        self.deploymentID = deploymentID
        self.running = running
        self.aspects = aspects
    }

    /// One line for the log.
    package var message: String {
        let words = aspects.map(\.rawValue).joined(separator: " and ")
        return """
            the name "\(configured)" leads to deployment \(deploymentID), which runs \
            "\(running)": another \(words)
            """
    }

    /// Words that make a model another one; others are the user's own, such as `prod`.
    private static let variants: Set<String> = [
        "chat", "codex", "coder", "deep", "embedding", "flash", "haiku", "instant", "instruct",
        "large", "lite", "medium", "micro", "mini", "nano", "o", "opus", "oss", "premier", "pro",
        "reasoning", "research", "small", "sonnet", "turbo", "ultra", "vision",
    ]
    /// Families without a model that has no variant, so that a name without one leaves it open.
    private static let variantFamilies: Set<String> = ["claude", "gemini", "nova"]

    private static func aspects(
        _ configured: ModelIdentity,
        _ running: ModelIdentity
    ) -> [Aspect] {
        // A name of no known family is a name of the user's own and promises nothing.
        guard let family = configured.family, let runningFamily = running.family else { return [] }
        guard family == runningFamily else { return [.family] }
        var aspects: [Aspect] = []
        if !configured.version.isEmpty, !running.version.isEmpty,
            configured.version != running.version
        {
            aspects.append(.version)
        }
        let ours = Set(configured.variants).intersection(variants)
        let theirs = Set(running.variants).intersection(variants)
        if ours != theirs, !(ours.isEmpty && variantFamilies.contains(family)) {
            aspects.append(.variant)
        }
        return aspects
    }
}
