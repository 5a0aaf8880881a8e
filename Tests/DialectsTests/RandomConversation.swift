// SPDX-License-Identifier: Apache-2.0
import Support

/// Makes requests of OpenAI chat completions, always the same one for the same seed.
///
/// Read with `Converting.conversation(.chat, text)`, write in the format under test, read back, and
/// compare the two `Meaning`s. All requests are valid: every call is answered at once, and the last
/// turn is the user's or a tool's.
struct RandomConversation {
    /// What requests may have beside texts.
    struct Features: OptionSet {
        let rawValue: Int

        static let system = Features(rawValue: 1)
        /// Images in base64.
        static let images = Features(rawValue: 2)
        static let imageURLs = Features(rawValue: 4)
        static let imageDetail = Features(rawValue: 8)
        /// PDF files in base64.
        static let documents = Features(rawValue: 16)
        static let audio = Features(rawValue: 32)
        static let tools = Features(rawValue: 64)
        static let strictTools = Features(rawValue: 128)
        /// `reasoning_content` of the assistant's turns.
        static let thinking = Features(rawValue: 256)
        static let refusals = Features(rawValue: 512)
        /// `max_completion_tokens`, `temperature`, `top_p`, `stop`.
        static let limits = Features(rawValue: 1024)
        /// Seed, penalties, log probabilities, number of answers, user.
        static let samplers = Features(rawValue: 2048)
        static let effort = Features(rawValue: 4096)
        static let responseFormat = Features(rawValue: 8192)

        static let common: Features = [.system, .images, .tools, .limits]
        static let all = Features(rawValue: (1 << 14) - 1)
    }

    let features: Features
    private var random: SplitMix
    private var calls = 0
    private var toolNames: [String] = []

    init(seed: UInt64, _ features: Features = .common) {
        self.features = features
        random = SplitMix(seed: seed)
    }

    /// The next request; each of its texts reads the same however it is escaped.
    mutating func chatRequest() -> String {
        calls = 0
        toolNames = []
        var members = ["\"model\":\"m\""]
        if features.contains(.tools), random.oneIn(2) {
            toolNames = (0...random.below(4)).map { "tool_\($0)" }
            members.append("\"tools\":" + list(toolNames.map { tool($0) }))
            members += toolSettings()
        }
        members.append("\"messages\":" + list(messages()))
        if features.contains(.limits) { members += limits() }
        if features.contains(.samplers) { members += samplers() }
        if features.contains(.effort), random.oneIn(3) {
            members.append("\"reasoning_effort\":\"\(pick(["low", "medium", "high"]))\"")
        }
        if features.contains(.responseFormat), random.oneIn(3) {
            members.append("\"response_format\":" + responseFormat())
        }
        return object(members.shuffled(using: &random))
    }

    // MARK: Turns

    private mutating func messages() -> [String] {
        var messages: [String] = []
        if features.contains(.system), random.oneIn(2) {
            for _ in 0...random.below(2) { messages.append(system()) }
        }
        messages.append(user())
        for _ in 0..<random.below(5) {
            messages += assistant()
            messages.append(user())
            if features.contains(.system), random.oneIn(10) { messages.append(system()) }
        }
        if !toolNames.isEmpty, random.oneIn(3) { messages += assistantWithCalls() }
        return messages
    }

    private mutating func system() -> String {
        let role = pick(["system", "developer"])
        guard random.oneIn(3) else { return message(role, "\"content\":" + string(text())) }
        let parts = (0...random.below(2)).map { _ in textPart() }
        return message(role, "\"content\":" + list(parts))
    }

    private mutating func user() -> String {
        guard random.oneIn(2) else { return message("user", "\"content\":" + string(text())) }
        let parts = (0...random.below(3)).map { _ in userPart() }
        return message("user", "\"content\":" + list(parts))
    }

    private mutating func assistant() -> [String] {
        if !toolNames.isEmpty, random.oneIn(2) { return assistantWithCalls() }
        if features.contains(.refusals), random.oneIn(6) {
            return [message("assistant", "\"content\":null,\"refusal\":" + string(text()))]
        }
        return [message("assistant", "\"content\":" + string(text()) + thoughts())]
    }

    private mutating func assistantWithCalls() -> [String] {
        var entries: [String] = []
        var results: [String] = []
        for _ in 0...random.below(3) {
            let id = "call_\(calls)"
            calls += 1
            let function =
                "{\"name\":\"\(pick(toolNames))\",\"arguments\":" + string(json(depth: 2)) + "}"
            entries.append("{\"id\":\"\(id)\",\"type\":\"function\",\"function\":\(function)}")
            let content = random.oneIn(4) ? list([textPart(), textPart()]) : string(text())
            results.append(message("tool", "\"tool_call_id\":\"\(id)\",\"content\":" + content))
        }
        let content = random.oneIn(2) ? "null" : string(text())
        let turn = message(
            "assistant",
            "\"content\":\(content),\"tool_calls\":" + list(entries) + thoughts()
        )
        return [turn] + results.shuffled(using: &random)
    }

    private mutating func thoughts() -> String {
        guard features.contains(.thinking), random.oneIn(3) else { return "" }
        return ",\"reasoning_content\":" + string(text())
    }

    private func message(_ role: String, _ members: String) -> String {
        "{\"role\":\"\(role)\",\(members)}"
    }

    // MARK: Parts

    private mutating func textPart() -> String {
        "{\"type\":\"text\",\"text\":" + string(text()) + "}"
    }

    private mutating func userPart() -> String {
        let kinds: [Features] = [[], .images, .imageURLs, .documents, .audio]
        switch pick(kinds.filter { features.contains($0) }) {
        case .images:
            let type = pick(["png", "jpeg", "webp", "gif"])
            return image("data:image/\(type);base64,\(base64())")
        case .imageURLs:
            return image("https://example.com/\(random.below(100)).png?a=b&c=%20")
        case .documents:
            let data = string("data:application/pdf;base64,\(base64())")
            return "{\"type\":\"file\",\"file\":{\"filename\":\"a \(random.below(9)).pdf\","
                + "\"file_data\":\(data)}}"
        case .audio:
            return "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"\(base64())\","
                + "\"format\":\"\(pick(["wav", "mp3"]))\"}}"
        default:
            return textPart()
        }
    }

    private mutating func image(_ url: String) -> String {
        var detail = ""
        if features.contains(.imageDetail), random.oneIn(2) {
            detail = ",\"detail\":\"\(pick(["low", "high", "auto"]))\""
        }
        return "{\"type\":\"image_url\",\"image_url\":{\"url\":\(string(url))\(detail)}}"
    }

    private mutating func base64() -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        let body = String((0..<4 * random.below(20)).map { _ in pick(alphabet) })
        return body + pick(["AAAA", "AAA=", "AA=="])
    }

    // MARK: Settings

    private mutating func tool(_ name: String) -> String {
        var members = ["\"name\":\"\(name)\""]
        if random.oneIn(2) { members.append("\"description\":" + string(text())) }
        if !random.oneIn(4) { members.append("\"parameters\":" + schema()) }
        if features.contains(.strictTools), random.oneIn(3) {
            members.append("\"strict\":\(random.oneIn(2))")
        }
        return "{\"type\":\"function\",\"function\":\(object(members))}"
    }

    private mutating func schema() -> String {
        let properties = (0..<random.below(3)).map { index in
            "\"p\(index)\":{\"type\":\"\(pick(["string", "integer", "boolean"]))\","
                + "\"description\":\(string(text()))}"
        }
        return "{\"type\":\"object\",\"properties\":\(object(properties))}"
    }

    private mutating func toolSettings() -> [String] {
        var members: [String] = []
        if random.oneIn(2) {
            let named = "{\"type\":\"function\",\"function\":{\"name\":\"tool_0\"}}"
            members.append(
                "\"tool_choice\":" + pick(["\"auto\"", "\"none\"", "\"required\"", named])
            )
        }
        if random.oneIn(3) { members.append("\"parallel_tool_calls\":false") }
        return members
    }

    private mutating func limits() -> [String] {
        var members: [String] = []
        if random.oneIn(2) {
            let name = pick(["max_tokens", "max_completion_tokens"])
            members.append("\"\(name)\":\(1 + random.below(5000))")
        }
        if random.oneIn(3) { members.append("\"temperature\":\(pick(["0", "0.25", "1", "1e-1"]))") }
        if random.oneIn(3) { members.append("\"top_p\":\(pick(["0.5", "1", "0.95"]))") }
        if random.oneIn(3) {
            let texts = (0...random.below(3)).map { string("stop \($0)") }
            members.append("\"stop\":" + (random.oneIn(3) ? texts[0] : list(texts)))
        }
        return members
    }

    private mutating func samplers() -> [String] {
        var members: [String] = []
        if random.oneIn(3) { members.append("\"seed\":\(random.below(1000))") }
        if random.oneIn(3) { members.append("\"presence_penalty\":0.5") }
        if random.oneIn(3) { members.append("\"frequency_penalty\":-0.5") }
        if random.oneIn(3) { members.append("\"logprobs\":true,\"top_logprobs\":3") }
        if random.oneIn(3) { members.append("\"n\":1") }
        if random.oneIn(3) { members.append("\"user\":" + string(text())) }
        return members
    }

    private mutating func responseFormat() -> String {
        switch random.below(3) {
        case 0: return "{\"type\":\"text\"}"
        case 1: return "{\"type\":\"json_object\"}"
        default:
            var members = ["\"name\":\"answer\"", "\"schema\":" + schema()]
            if random.oneIn(2) { members.append("\"strict\":\(random.oneIn(2))") }
            return "{\"type\":\"json_schema\",\"json_schema\":\(object(members))}"
        }
    }

    // MARK: Texts

    /// Never empty, and never of white space only: some formats refuse such texts.
    private mutating func text() -> String {
        let pieces = [
            "word", " ", "two words", "\n", "\t", "\"quoted\"", "back\\slash", "/", "é", "漢字", "😀",
            "👩‍👩‍👧", "\u{1}", "\u{2028}", "data: x", "{\"a\":1}", "'", "<b>", "\u{7F}", "\r\n",
        ]
        var text = "t\(random.below(1000))"
        for _ in 0..<random.below(8) { text += pick(pieces) }
        return text
    }

    /// The text of a JSON object.
    private mutating func json(depth: Int) -> String {
        let members = (0..<random.below(4)).map { index in
            "\"k\(index)\":" + value(depth: depth)
        }
        return object(members)
    }

    private mutating func value(depth: Int) -> String {
        switch random.below(depth > 0 ? 7 : 5) {
        case 0: "null"
        case 1: pick(["true", "false"])
        case 2: pick(["0", "-1.5", "1e3", "12345678901"])
        case 3, 4: string(text())
        case 5: json(depth: depth - 1)
        default: list((0..<random.below(3)).map { _ in value(depth: depth - 1) })
        }
    }

    /// `text` in quotes, with escapes where they must be and in places where they may be.
    private mutating func string(_ text: String) -> String {
        var result = "\""
        let habit = random.below(4)
        for unit in text.unicodeScalars {
            switch unit {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "/" where habit == 1: result += "\\/"
            case _ where unit.value < 0x20 || (unit.value > 0x7E && habit == 2):
                for half in String(unit).utf16 { result += escape(half) }
            case _ where habit == 3 && random.oneIn(8):
                for half in String(unit).utf16 { result += escape(half) }
            default: result.unicodeScalars.append(unit)
            }
        }
        return result + "\""
    }

    private func escape(_ half: UInt16) -> String {
        let digits = String(half, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[random.below(elements.count)]
    }

    private func list(_ elements: [String]) -> String {
        "[" + elements.joined(separator: ",") + "]"
    }

    private func object(_ members: [String]) -> String {
        "{" + members.joined(separator: ",") + "}"
    }
}
