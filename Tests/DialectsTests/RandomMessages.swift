// SPDX-License-Identifier: Apache-2.0
import Support

/// Makes requests of Anthropic Messages, always the same one for the same seed.
///
/// Valid ones, with everything that a conversation has a place for.
struct RandomMessages {
    private var random: SplitMix
    private var calls = 0

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
    }

    mutating func request() -> String {
        var members = [#""model":"m""#, #""max_tokens":\#(5000 + random.below(9000))"#]
        if random.oneIn(2) {
            members.append(#""system":\#(random.oneIn(2) ? text() : list { $0.textBlock() })"#)
        }
        let hasTools = random.oneIn(2)
        if hasTools { members.append(tools()) }
        members.append(#""messages":\#(messages(hasTools))"#)
        members += settings(hasTools)
        return "{" + members.shuffled(using: &random).joined(separator: ",") + "}"
    }

    private mutating func settings(_ hasTools: Bool) -> [String] {
        var members: [String] = []
        let thinks = random.oneIn(3)
        if thinks {
            members.append(
                pick([
                    #""thinking":{"type":"enabled","budget_tokens":\#(1024 + random.below(3000))}"#,
                    #""thinking":{"type":"adaptive"},"output_config":{"effort":"high"}"#,
                    #""thinking":{"type":"adaptive","display":"summarized"}"#,
                ])
            )
        } else {
            if random.oneIn(3) { members.append(#""temperature":0.\#(random.below(10))"#) }
            if random.oneIn(3) { members.append(#""top_p":0.\#(random.below(10))"#) }
            if random.oneIn(3) { members.append(#""top_k":\#(random.below(100))"#) }
            if random.oneIn(4) { members.append(#""thinking":{"type":"disabled"}"#) }
        }
        if random.oneIn(3) { members.append(#""stop_sequences":\#(list { $0.text() })"#) }
        if random.oneIn(3) { members.append(#""metadata":{"user_id":\#(text())}"#) }
        if random.oneIn(3) { members.append(#""stream":true"#) }
        if !thinks, random.oneIn(4) {
            let schema = #"{"type":"object","properties":{"a":{"type":"string"}}}"#
            members.append(
                #""output_config":{"format":{"type":"json_schema","schema":\#(schema)}}"#
            )
        }
        if hasTools, !thinks, random.oneIn(2) {
            let single = pick(["", #","disable_parallel_tool_use":true"#])
            members.append(
                pick([
                    #""tool_choice":{"type":"auto"\#(single)}"#,
                    #""tool_choice":{"type":"any"\#(single)}"#,
                    #""tool_choice":{"type":"tool","name":"tool_0"\#(single)}"#,
                    #""tool_choice":{"type":"none"}"#,
                ])
            )
        }
        return members
    }

    private mutating func tools() -> String {
        let tools = (0...random.below(3)).map { index in
            let description = random.oneIn(2) ? #","description":\#(text())"# : ""
            let strict = random.oneIn(3) ? #","strict":true"# : ""
            return #"{"name":"tool_\#(index)"\#(description)\#(strict)\#(cache()),"#
                + #""input_schema":{"type":"object","properties":{}}}"#
        }
        return #""tools":["# + tools.joined(separator: ",") + "]"
    }

    private mutating func messages(_ hasTools: Bool) -> String {
        var turns = [turn("user", random.oneIn(2) ? text() : list { $0.userBlock() })]
        for _ in 0..<random.below(5) {
            if hasTools, random.oneIn(2) {
                turns += turnsWithCalls()
            } else {
                turns.append(turn("assistant", random.oneIn(2) ? text() : list { $0.textBlock() }))
                turns.append(turn("user", random.oneIn(2) ? text() : list { $0.userBlock() }))
            }
        }
        return "[" + turns.joined(separator: ",") + "]"
    }

    private mutating func turnsWithCalls() -> [String] {
        var blocks = [
            #"{"type":"thinking","thinking":\#(text()),"signature":"c2lnbmF0dXJl"}"#
        ]
        if random.oneIn(2) { blocks.append(#"{"type":"redacted_thinking","data":"AAAA"}"#) }
        if random.oneIn(2) { blocks.append(textBlock()) }
        var results: [String] = []
        for _ in 0...random.below(3) {
            let id = "toolu_\(calls)"
            calls += 1
            let input = #"{"a":\#(text()),"b":[1,null,{"c":true}]}"#
            blocks.append(
                #"{"type":"tool_use","id":"\#(id)","name":"tool_0","input":\#(input)\#(cache())}"#
            )
            let content =
                pick([
                    "", #","content":\#(text())"#, #","content":\#(list { $0.textBlock() })"#,
                    #","content":[\#(textBlock()),\#(image())]"#,
                ])
            let error = random.oneIn(4) ? #","is_error":true"# : ""
            results.append(
                #"{"type":"tool_result","tool_use_id":"\#(id)"\#(content)\#(error)\#(cache())}"#
            )
        }
        if random.oneIn(3) { results.append(textBlock()) }
        return [
            turn("assistant", "[" + blocks.joined(separator: ",") + "]"),
            turn("user", "[" + results.joined(separator: ",") + "]"),
        ]
    }

    private func turn(_ role: String, _ content: String) -> String {
        #"{"role":"\#(role)","content":\#(content)}"#
    }

    private mutating func userBlock() -> String {
        switch random.below(6) {
        case 0: image()
        case 1: #"{"type":"image","source":{"type":"url","url":"https://example.com/a?b=c"}}"#
        case 2:
            #"{"type":"document","title":\#(text()),"source":{"type":"base64","#
                + #""media_type":"application/pdf","data":"JVBERi0="}\#(cache())}"#
        case 3:
            #"{"type":"document","source":{"type":"text","media_type":"text/plain","#
                + #""data":\#(text())}}"#
        default: textBlock()
        }
    }

    private mutating func image() -> String {
        let type = pick(["png", "jpeg", "gif", "webp"])
        return #"{"type":"image","source":{"type":"base64","media_type":"image/\#(type)","#
            + #""data":"iVBORw0KGgo="}\#(cache())}"#
    }

    private mutating func textBlock() -> String {
        #"{"type":"text","text":\#(text())\#(cache())}"#
    }

    private mutating func cache() -> String {
        random.oneIn(5) ? #","cache_control":{"type":"ephemeral","ttl":"1h"}"# : ""
    }

    private mutating func list(_ element: (inout Self) -> String) -> String {
        let elements = (0...random.below(3)).map { _ in element(&self) }
        return "[" + elements.joined(separator: ",") + "]"
    }

    /// A string that is not blank, with what must be escaped and what may be.
    private mutating func text() -> String {
        let pieces = [
            "word", " ", #"\n"#, #"\""#, #"\\"#, #"\/"#, #"\u0041"#, "é", "漢", "😀",
            #"\ud83d\ude00"#, #"\u0001"#, "{}", "data: x",
        ]
        var text = "t\(random.below(1000))"
        for _ in 0..<random.below(6) { text += pick(pieces) }
        return "\"\(text)\""
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[random.below(elements.count)]
    }
}
