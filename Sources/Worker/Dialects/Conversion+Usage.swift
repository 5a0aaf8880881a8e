// SPDX-License-Identifier: Apache-2.0
package import JSON
package import Metrics

extension Conversion {
    /// The usage of a whole answer that goes on as it is; nil where it tells none.
    package static func readUsage(
        _ format: WireFormat,
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> TokenUsage? {
        switch format {
        case .chat, .completions:
            guard let node = tape.member("usage", of: root, in: bytes) else { return nil }
            return ChatUsage.read(node, tape, bytes)
        case .messages:
            guard let node = tape.member("usage", of: root, in: bytes),
                tape.kind(of: node) == .object
            else { return nil }
            var usage = MessagesUsage()
            usage.update(node, tape, bytes)
            return usage.tokens
        case .gemini:
            let node =
                tape.member("usageMetadata", of: root, in: bytes)
                ?? tape.member("usage_metadata", of: root, in: bytes)
            return node.flatMap { GeminiUsage.read($0, tape, bytes) }
        case .responses, .converse:
            // Rare enough to be read in full.
            do throws(ConversionError) {
                return try readAnswer(format, root, tape, bytes).usage
            } catch {
                return nil
            }
        }
    }
}
