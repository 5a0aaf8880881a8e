// SPDX-License-Identifier: Apache-2.0
import JSON

/// Names of Anthropic's betas, which stand in a header or, on Bedrock, in the body.
package enum MessagesBetas {
    /// The only version of the interface on Bedrock.
    static let version = "bedrock-2023-05-31"
    /// A context of a million tokens for Sonnet 4 and 4.5.
    static let longContext = "context-1m-2025-08-07"
    /// Compaction of the context, the only kind of `context_management` that Bedrock has.
    static let compaction = "compact-2026-01-12"
    /// Lets the budget for thoughts be above the limit of one answer.
    static let interleavedThinking = "interleaved-thinking-2025-05-14"
    /// What clients put behind a model's name to ask for the long context.
    private static let longContextSuffix = "[1m]"

    /// Betas that Bedrock refuses.
    private static let refusedByBedrock = [
        "prompt-caching-2024-07-31", "prompt-caching-scope-2026-01-05",
        "extended-cache-ttl-2025-04-11", "redact-thinking-2026-02-12", "mcp-servers-2025-12-04",
        "skills-2025-10-02", "files-api-2025-04-14", "message-batches-2024-09-24",
        "managed-agents-2026-04-01", "code-execution-2025-05-22", "fast-mode-2026-02-01",
        "output-300k-2026-03-24", "user-profiles-2026-03-24", "advisor-tool-2026-03-01",
        "cache-diagnosis-2026-04-07", "thinking-token-count-2026-05-13",
        "server-side-fallback-2026-06-01", "fallback-credit-2026-06-01",
    ]

    /// What Bedrock calls a beta; itself where it has no other name.
    private static func bedrockName(_ beta: String) -> String {
        switch beta {
        case "advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"
        default: beta
        }
    }

    /// Most betas of a request: a client's header is not to be larger than its body.
    private static let countMax = 64

    /// The betas for the body of a request to Bedrock, without repetition.
    ///
    /// Names that nobody knows pass.
    static func body(
        _ plan: RequestPlan,
        among more: [String] = [],
        wantsLongContext: Bool,
        _ omissions: inout Omissions
    ) -> [String] {
        var betas: [String] = []
        for beta in (more + plan.betas).prefix(countMax) {
            if refusedByBedrock.contains(beta) {
                omissions.add("anthropic-beta." + beta)
                continue
            }
            let name = bedrockName(beta)
            if !name.isEmpty, !betas.contains(name) { betas.append(name) }
        }
        if wantsLongContext || plan.model.hasSuffix(longContextSuffix),
            plan.rules.claude.hasLongContextBeta, !betas.contains(longContext)
        {
            betas.append(longContext)
        }
        return betas
    }

    /// The names for the header `anthropic-beta` of a request whose body does not have them.
    package static func header(_ plan: RequestPlan) -> [String] {
        var betas = plan.betas
        if plan.model.hasSuffix(longContextSuffix), plan.rules.claude.hasLongContextBeta,
            !betas.contains(longContext)
        {
            betas.append(longContext)
        }
        return betas
    }

    static func write(_ betas: [String], to writer: inout JSONWriter) {
        guard !betas.isEmpty else { return }
        writer.name("anthropic_beta")
        writer.beginArray()
        for beta in betas { writer.value(beta) }
        writer.endArray()
    }

    /// The name of a model without what asks for the long context.
    static func modelName(_ name: String) -> String {
        name.hasSuffix(longContextSuffix)
            ? String(name.dropLast(longContextSuffix.count)) : name
    }

    /// Whether the model's name in a client's request asks for the long context.
    static func asksForLongContext(_ content: Span<UInt8>) -> Bool {
        let count = longContextSuffix.utf8.count
        guard content.count > count else { return false }
        let end = content.extracting(last: count)
        return MessagesBytes.equal(end, longContextSuffix.utf8.span)
    }
}
