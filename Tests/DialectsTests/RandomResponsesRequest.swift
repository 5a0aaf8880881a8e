// SPDX-License-Identifier: Apache-2.0
import Support

/// Makes requests of OpenAI Responses, always the same one for the same seed.
///
/// Items come in the disorder that agents produce: outputs behind later messages, calls that never
/// get one, instructions in between.
struct RandomResponsesRequest {
    private var random: SplitMix
    private var calls = 0
    /// Ids of calls without an output so far.
    private var open: [String] = []

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
    }

    mutating func request() -> String {
        var members = ["\"model\":\"m\""]
        if random.oneIn(2) { members.append("\"instructions\":\(string())") }
        members.append("\"input\":" + (random.oneIn(6) ? string() : "[\(items())]"))
        if random.oneIn(2) { members.append("\"tools\":[\(tools())]") }
        if random.oneIn(3) {
            let named = "{\"type\":\"function\",\"name\":\"f0\"}"
            members.append(
                "\"tool_choice\":" + pick(["\"auto\"", "\"none\"", "\"required\"", named])
            )
        }
        if random.oneIn(3) { members.append("\"max_output_tokens\":\(16 + random.below(999))") }
        if random.oneIn(3) { members.append("\"temperature\":\(pick(["0", "0.5", "1e0"]))") }
        if random.oneIn(3) { members.append("\"top_p\":0.25") }
        if random.oneIn(3) { members.append("\"parallel_tool_calls\":\(random.oneIn(2))") }
        if random.oneIn(3) { members.append("\"user\":\(string())") }
        if random.oneIn(3) {
            let summary = random.oneIn(2) ? ",\"summary\":\"auto\"" : ""
            members.append(
                "\"reasoning\":{\"effort\":\"\(pick(["none", "low", "high"]))\"\(summary)}"
            )
        }
        if random.oneIn(3) { members.append("\"text\":{\"format\":\(format())}") }
        members.shuffle(using: &random)
        return "{" + members.joined(separator: ",") + "}"
    }

    private mutating func items() -> String {
        var items = ["{\"role\":\"user\",\"content\":\(string())}"]
        for _ in 0..<random.below(12) { items.append(item()) }
        return items.joined(separator: ",")
    }

    private mutating func item() -> String {
        switch random.below(8) {
        case 0: return "{\"type\":\"message\",\"role\":\"user\",\"content\":[\(userParts())]}"
        case 1: return "{\"role\":\"\(pick(["developer", "system"]))\",\"content\":\(string())}"
        case 2:
            return "{\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":"
                + "\(string())},{\"type\":\"refusal\",\"refusal\":\(string())}]}"
        case 3, 4, 5:
            calls += 1
            open.append("call_\(calls)")
            return
                "{\"type\":\"function_call\",\"id\":\"fc_\(calls)\",\"call_id\":\"call_\(calls)\","
                + "\"name\":\"f\(random.below(3))\",\"arguments\":\"{\\\"a\\\":\(calls)}\"}"
        default:
            guard !open.isEmpty else { return "{\"role\":\"user\",\"content\":\(string())}" }
            let id = open.remove(at: random.below(open.count))
            let output = random.oneIn(3) ? "[\(userParts())]" : string()
            return "{\"type\":\"function_call_output\",\"call_id\":\"\(id)\",\"output\":\(output)}"
        }
    }

    private mutating func userParts() -> String {
        (0...random.below(3)).map { _ in userPart() }.joined(separator: ",")
    }

    private mutating func userPart() -> String {
        switch random.below(6) {
        case 0:
            return "{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\","
                + "\"detail\":\"high\"}"
        case 1: return "{\"type\":\"input_image\",\"image_url\":\"https://x.example/a.png\"}"
        case 2:
            return "{\"type\":\"input_file\",\"filename\":\(string()),"
                + "\"file_data\":\"data:application/pdf;base64,AA==\"}"
        default: return "{\"type\":\"input_text\",\"text\":\(string())}"
        }
    }

    private mutating func tools() -> String {
        (0...random.below(3)).map { index in
            var members = ["\"type\":\"function\"", "\"name\":\"f\(index)\""]
            if random.oneIn(2) { members.append("\"description\":\(string())") }
            if random.oneIn(2) {
                members.append("\"parameters\":{\"type\":\"object\",\"title\":\(string())}")
            }
            if random.oneIn(2) { members.append("\"strict\":\(random.oneIn(2))") }
            return "{" + members.joined(separator: ",") + "}"
        }.joined(separator: ",")
    }

    private mutating func format() -> String {
        switch random.below(3) {
        case 0: "{\"type\":\"text\"}"
        case 1: "{\"type\":\"json_object\"}"
        default:
            "{\"type\":\"json_schema\",\"name\":\"n\",\"strict\":\(random.oneIn(2)),"
                + "\"schema\":{\"type\":\"object\"}}"
        }
    }

    /// A string with escapes in it.
    private mutating func string() -> String {
        let pieces = ["a", " b", "\\n", "\\\"", "\\u00e9", "é", "😀", "\\ud83d\\ude00", "\\/", "/"]
        var text = "t\(random.below(100))"
        for _ in 0..<random.below(5) { text += pick(pieces) }
        return "\"\(text)\""
    }

    private mutating func pick(_ elements: [String]) -> String {
        elements[random.below(elements.count)]
    }
}
