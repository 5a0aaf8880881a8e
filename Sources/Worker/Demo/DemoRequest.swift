// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// What the demo model reads from a request.
struct DemoRequest: Equatable {
    enum Task: Equatable { case chat, completion, embeddings }

    /// What the model's name asks for.
    enum Behavior: Equatable {
        case echo
        /// Every token as soon as the client takes it.
        case fast
        /// A second to the first token, five tokens a second from there on.
        case slow
        /// Three seconds to the first token, then as `echo`.
        case slowStart
        /// A thousand tokens, as `fast`.
        case long
        /// An error answer with this status.
        case status(Int)
        /// The connection breaks after three tokens.
        case cut
        /// Silence after three tokens.
        case stall
        /// An error event after three tokens.
        case error
        /// No answer at all.
        case hang

        /// The behavior that `model` names; nil for unknown names.
        init?(model: String) {
            switch model {
            case "echo", "embed": self = .echo
            case "fast": self = .fast
            case "slow": self = .slow
            case "slow-start": self = .slowStart
            case "long": self = .long
            case "cut": self = .cut
            case "stall": self = .stall
            case "error": self = .error
            case "hang": self = .hang
            case "400", "401", "404", "429", "500", "503": self = .status(Int(model) ?? 500)
            default: return nil
            }
        }

        /// The names that `init(model:)` knows, as the model list shows them.
        static let names = [
            "echo", "fast", "slow", "slow-start", "long", "embed", "cut", "stall", "error",
            "hang", "400", "401", "404", "429", "500", "503",
        ]
    }

    /// Most inputs embedded at once, as at OpenAI.
    static let inputsMax = 2048
    private static let dimensionsDefault = 256
    /// Most numbers in one answer: as many inputs of the default length.
    ///
    /// A worker that computes does nothing else.
    static let numbersMax = inputsMax * dimensionsDefault
    /// Longest text that is echoed: a demo answers, it does not store.
    private static let echoBytesMax = 600

    var task = Task.chat
    var model = ""
    var isStream = false
    var wantsUsage = false
    /// The text of the last message, or the prompt.
    var text = ""
    var lastRole = "user"
    /// Name and arguments of the tool to call.
    var toolCall: (name: String, arguments: String)?
    /// The JSON to answer with when JSON is asked for.
    var json: String?
    /// Inputs to embed.
    var inputs: [String] = []
    var dimensions = dimensionsDefault
    var isBase64 = false
    /// Whether it asks for more than a demo should compute.
    var isTooLarge: Bool {
        inputs.count > Self.inputsMax || inputs.count * dimensions > Self.numbersMax
    }
    /// About four bytes are a token.
    var promptTokens = 1

    static func == (left: DemoRequest, right: DemoRequest) -> Bool {
        left.task == right.task && left.model == right.model && left.text == right.text
            && left.isStream == right.isStream && left.json == right.json
            && left.toolCall?.name == right.toolCall?.name
            && left.toolCall?.arguments == right.toolCall?.arguments
            && left.inputs == right.inputs && left.dimensions == right.dimensions
    }

    /// Reads a body that the contract has accepted.
    init(path: String, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        let root = tape.root
        task =
            path == "/embeddings" ? .embeddings : path == "/completions" ? .completion : .chat
        promptTokens = max(1, bytes.count / 4)
        if let node = tape.member("model", of: root, in: bytes) {
            model = tape.string(of: node, in: bytes) ?? ""
        }
        if let node = tape.member("stream", of: root, in: bytes) {
            isStream = tape.bool(of: node) ?? false
        }
        if let options = tape.member("stream_options", of: root, in: bytes),
            let node = tape.member("include_usage", of: options, in: bytes)
        {
            wantsUsage = tape.bool(of: node) ?? false
        }
        switch task {
        case .chat: readChat(tape, root, bytes)
        case .completion: readPrompt(tape, root, bytes)
        case .embeddings: readEmbeddings(tape, root, bytes)
        }
    }

    private mutating func readChat(_ tape: JSONTape, _ root: JSONNode, _ bytes: Span<UInt8>) {
        if let messages = tape.member("messages", of: root, in: bytes) {
            for message in tape.elements(of: messages) {
                if let role = tape.member("role", of: message, in: bytes) {
                    lastRole = tape.string(of: role, in: bytes) ?? "user"
                }
                guard let content = tape.member("content", of: message, in: bytes) else {
                    continue
                }
                text = Self.text(of: content, tape, bytes)
            }
        }
        readTool(tape, root, bytes)
        readFormat(tape, root, bytes)
    }

    private mutating func readPrompt(_ tape: JSONTape, _ root: JSONNode, _ bytes: Span<UInt8>) {
        guard let prompt = tape.member("prompt", of: root, in: bytes) else { return }
        text = Self.text(of: prompt, tape, bytes)
    }

    /// The text of a string, of the first text in an array, or of content parts.
    private static func text(
        of node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> String {
        if let text = tape.string(of: node, in: bytes) { return capped(text) }
        for element in tape.elements(of: node) {
            if let text = tape.string(of: element, in: bytes) { return capped(text) }
            if let part = tape.member("text", of: element, in: bytes),
                let text = tape.string(of: part, in: bytes)
            {
                return capped(text)
            }
        }
        return ""
    }

    private static func capped(_ text: String) -> String {
        guard text.utf8.count > echoBytesMax else { return text }
        return String(text.prefix(echoBytesMax / 4)) + "…"
    }

    private mutating func readTool(_ tape: JSONTape, _ root: JSONNode, _ bytes: Span<UInt8>) {
        guard lastRole != "tool", let tools = tape.member("tools", of: root, in: bytes) else {
            return
        }
        var wanted: String?
        if let choice = tape.member("tool_choice", of: root, in: bytes) {
            if tape.equals(choice, "none", in: bytes) { return }
            if let function = tape.member("function", of: choice, in: bytes),
                let name = tape.member("name", of: function, in: bytes)
            {
                wanted = tape.string(of: name, in: bytes)
            }
        }
        for tool in tape.elements(of: tools) {
            guard let function = tape.member("function", of: tool, in: bytes),
                let node = tape.member("name", of: function, in: bytes),
                let name = tape.string(of: node, in: bytes), wanted == nil || wanted == name
            else { continue }
            let schema = tape.member("parameters", of: function, in: bytes)
            toolCall = (name, DemoSchema.instance(schema, text: text, tape, bytes))
            return
        }
    }

    private mutating func readFormat(_ tape: JSONTape, _ root: JSONNode, _ bytes: Span<UInt8>) {
        guard let format = tape.member("response_format", of: root, in: bytes),
            let type = tape.member("type", of: format, in: bytes)
        else { return }
        if tape.equals(type, "json_object", in: bytes) {
            json = DemoSchema.object(["answer": text])
        } else if tape.equals(type, "json_schema", in: bytes) {
            let holder = tape.member("json_schema", of: format, in: bytes)
            let schema = holder.flatMap { tape.member("schema", of: $0, in: bytes) }
            json = DemoSchema.instance(schema, text: text, tape, bytes)
        }
    }

    private mutating func readEmbeddings(
        _ tape: JSONTape,
        _ root: JSONNode,
        _ bytes: Span<UInt8>
    ) {
        if let node = tape.member("dimensions", of: root, in: bytes) {
            let wanted = tape.integer(of: node, in: bytes) ?? Self.dimensionsDefault
            dimensions = min(max(wanted, 1), 4096)
        }
        if let node = tape.member("encoding_format", of: root, in: bytes) {
            isBase64 = tape.equals(node, "base64", in: bytes)
        }
        guard let input = tape.member("input", of: root, in: bytes) else { return }
        if let text = tape.string(of: input, in: bytes) {
            inputs = [text]
            return
        }
        var tokens: [String] = []
        for element in tape.elements(of: input) where inputs.count <= Self.inputsMax {
            switch tape.kind(of: element) {
            case .string: inputs.append(tape.string(of: element, in: bytes) ?? "")
            case .array:
                inputs.append(String(copying: bytes.extracting(tape.valueRange(of: element))))
            case .number: tokens.append(String(tape.integer(of: element, in: bytes) ?? 0))
            case .object, .bool, .null: break
            }
        }
        // An array of numbers is one input of tokens.
        if inputs.isEmpty, !tokens.isEmpty { inputs = [tokens.joined(separator: " ")] }
    }
}
