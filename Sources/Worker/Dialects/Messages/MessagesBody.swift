// SPDX-License-Identifier: Apache-2.0
import JSON

/// The members at the top of a request of Messages that decide about others.
struct MessagesBody {
    enum Slot: Int, CaseIterable {
        case model, stream, messages, system, tools, toolChoice, maxTokens, thinking
        case outputConfig, outputFormat, temperature, topP, topK
        case version, betas, contextManagement

        private static let all = Slot.allCases

        /// Nil for members that decide nothing.
        init?(_ name: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
            for slot in Self.all where tape.equals(name, slot.name, in: bytes) {
                self = slot
                return
            }
            return nil
        }

        private var name: StaticString {
            switch self {
            case .model: "model"
            case .stream: "stream"
            case .messages: "messages"
            case .system: "system"
            case .tools: "tools"
            case .toolChoice: "tool_choice"
            case .maxTokens: "max_tokens"
            case .thinking: "thinking"
            case .outputConfig: "output_config"
            case .outputFormat: "output_format"
            case .temperature: "temperature"
            case .topP: "top_p"
            case .topK: "top_k"
            case .version: "anthropic_version"
            case .betas: "anthropic_beta"
            case .contextManagement: "context_management"
            }
        }
    }

    private var members: [JSONMembers.Member?] = Array(
        repeating: nil,
        count: Slot.allCases.count
    )

    subscript(_ slot: Slot) -> JSONMembers.Member? {
        get { members[slot.rawValue] }
        set { members[slot.rawValue] = newValue }
    }
}
