// SPDX-License-Identifier: Apache-2.0
import Support

/// How a provider of the mock writes its answers.
struct AnswerManner {
    var model = "upstream-model-1"
    /// Azure adds what its content filter found, first of all in a chunk of its own.
    var isAzure = false
    /// Whether thoughts are told, as far as the request asks for them.
    var tellsThoughts = true
    /// Whether a chat stream ends with the usage.
    var tellsUsage = true
    var style = Wire.Style.plain
}

extension ChatForm {
    static func finish(_ finish: Told.Finish) -> String {
        switch finish {
        case .end, .stopText: "stop"
        case .length: "length"
        case .calls: "tool_calls"
        case .refusal: "content_filter"
        }
    }

    // MARK: An upstream's answer

    static func answer(_ told: Told, _ manner: AnswerManner) -> Wire {
        let isRefusal = told.finish == .refusal && !manner.isAzure
        let calls: [Wire] = told.calls.map { call in
            [
                "id": .string(call.id), "type": "function",
                "function": [
                    "name": .string(call.name), "arguments": .string(call.arguments.compact),
                ],
            ]
        }
        let message = Wire.object([
            ("role", "assistant"),
            ("content", isRefusal || told.text.isEmpty ? .null : .string(told.text)),
            ("refusal", isRefusal ? .string(told.text) : .null),
        ]).adding([
            (
                "reasoning_content",
                manner.tellsThoughts && !told.thoughts.isEmpty ? .string(told.thoughts) : nil
            ),
            ("tool_calls", calls.isEmpty ? nil : .array(calls)),
        ])
        let choice: Wire = [
            "index": 0, "message": message, "logprobs": .null,
            "finish_reason": .string(finish(told.finish)),
        ]
        return Wire.object([
            ("id", "chatcmpl-up1"), ("object", "chat.completion"), ("created", 1_772_000_000),
            ("model", .string(manner.model)),
            (
                "choices",
                [manner.isAzure ? choice.adding([("content_filter_results", [:])]) : choice]
            ),
            ("usage", usage(told.usage)), ("system_fingerprint", "fp_1"),
        ]).adding([("prompt_filter_results", manner.isAzure ? [] : nil)])
    }

    private static func usage(_ usage: Told.Usage) -> Wire {
        [
            "prompt_tokens": .int(usage.input), "completion_tokens": .int(usage.output),
            "total_tokens": .int(usage.input + usage.output),
            "prompt_tokens_details": ["cached_tokens": .int(usage.cached), "audio_tokens": 0],
            "completion_tokens_details": ["reasoning_tokens": .int(usage.thoughts)],
        ]
    }

    /// The data of each event of a stream.
    static func stream(_ told: Told, _ manner: AnswerManner) -> [String] {
        var events: [String] = []
        func add(_ choices: Wire, _ usage: Wire?) {
            let chunk = Wire.object([
                ("id", "chatcmpl-up1"), ("object", "chat.completion.chunk"),
                ("created", 1_772_000_000), ("model", .string(manner.model)),
                ("system_fingerprint", .null), ("choices", choices),
            ]).adding([("usage", usage ?? (manner.tellsUsage ? .null : nil))])
            events.append(chunk.text(manner.style))
        }
        func add(_ delta: Wire, finish: Wire = .null) {
            add([["index": 0, "delta": delta, "finish_reason": finish]], nil)
        }
        if manner.isAzure {
            let first: Wire = [
                "choices": [], "created": 0, "id": "", "model": "", "object": "",
                "prompt_filter_results": [["prompt_index": 0, "content_filter_results": [:]]],
            ]
            events.append(first.text(manner.style))
        }
        add(["role": "assistant", "content": "", "refusal": .null])
        if manner.tellsThoughts {
            for piece in pieces(of: told.thoughts, 3) { add(["reasoning_content": .string(piece)]) }
        }
        let isRefusal = told.finish == .refusal && !manner.isAzure
        for piece in pieces(of: told.text, 7) {
            add([isRefusal ? "refusal" : "content": .string(piece)])
        }
        for (index, call) in told.calls.enumerated() {
            add([
                "tool_calls": [
                    [
                        "index": .int(index), "id": .string(call.id), "type": "function",
                        "function": ["name": .string(call.name), "arguments": ""],
                    ]
                ]
            ])
            for piece in pieces(of: call.arguments.compact, 4) {
                add([
                    "tool_calls": [
                        ["index": .int(index), "function": ["arguments": .string(piece)]]
                    ]
                ])
            }
        }
        add([:], finish: .string(finish(told.finish)))
        if manner.tellsUsage { add([], usage(told.usage)) }
        return events + ["[DONE]"]
    }

    // MARK: What a client got

    static func told(in body: JSONValue, _ problems: inout [String]) -> Told {
        var told = Told()
        problems.check(body["object"]?.string == "chat.completion", "another object")
        problems.check(body["id"]?.string?.isEmpty == false, "no id")
        problems.check(body["created"]?.int != nil, "no time")
        let choice = body["choices"]?[0] ?? .null
        problems.check(body["choices"]?.array?.count == 1, "not one choice")
        problems.check(choice["index"]?.int == 0, "a choice without its index")
        let message = choice["message"] ?? .null
        problems.check(message["role"]?.string == "assistant", "an answer of another role")
        problems.check(message.names.contains("content"), "a message without the member content")
        told.thoughts = message["reasoning_content"]?.string ?? ""
        told.text = (message["content"]?.string ?? "") + (message["refusal"]?.string ?? "")
        for call in message["tool_calls"]?.array ?? [] {
            problems.check(call["type"]?.string == "function", "a call without its type")
            told.calls.append(
                Call(
                    id: call["id"]?.string ?? "",
                    name: call["function"]?["name"]?.string ?? "",
                    arguments: problems.json(call["function"]?["arguments"]?.string ?? "no text")
                )
            )
        }
        problems.check(
            message["tool_calls"]?.array?.isEmpty != true,
            "an empty list of calls"
        )
        told.finish = finish(choice["finish_reason"]?.string, &problems)
        told.usage = usage(body["usage"], &problems)
        return told
    }

    private static func finish(_ reason: String?, _ problems: inout [String]) -> Told.Finish {
        switch reason {
        case "stop": return .end
        case "length": return .length
        case "tool_calls": return .calls
        case "content_filter": return .refusal
        default:
            problems.append("the finish reason '\(reason ?? "none")'")
            return .end
        }
    }

    private static func usage(_ usage: JSONValue?, _ problems: inout [String]) -> Told.Usage {
        let input = usage?["prompt_tokens"]?.int ?? -1
        let output = usage?["completion_tokens"]?.int ?? -1
        problems.check(usage?["total_tokens"]?.int == input + output, "a wrong sum of tokens")
        return Told.Usage(
            input: input,
            cached: usage?["prompt_tokens_details"]?["cached_tokens"]?.int ?? 0,
            output: output,
            thoughts: usage?["completion_tokens_details"]?["reasoning_tokens"]?.int ?? 0
        )
    }

    /// The answer that a stream tells, in the order that OpenAI's SDKs rely on.
    static func told(
        events: [ClientEvent],
        wantsUsage: Bool,
        _ problems: inout [String]
    ) -> Told {
        var told = Told()
        var texts: [String] = []
        var identities: Set<String> = []
        var hasRole = false
        var hasFinished = false
        var usage: JSONValue?
        problems.check(events.last?.data == "[DONE]", "no [DONE] at the end")
        problems.check(events.allSatisfy { $0.name == nil }, "an event with a name")
        for event in events.dropLast() {
            problems.check(event.data != "[DONE]", "a second [DONE]")
            let chunk = problems.json(event.data)
            problems.check(chunk["error"] == nil, "an error: \(event.data)")
            problems.check(usage == nil, "a chunk behind the usage")
            let choices = chunk["choices"]?.array ?? []
            if choices.isEmpty {
                if let some = chunk["usage"], !some.isNull { usage = some }
                continue
            }
            problems.check(chunk["object"]?.string == "chat.completion.chunk", "another object")
            let identity = ["id", "created", "model"].map { chunk[$0]?.compact ?? "none" }
            identities.insert(identity.joined(separator: " "))
            problems.check(chunk["usage"]?.isNull != false, "usage in a chunk with choices")
            problems.check(choices.count == 1, "several choices")
            problems.check(!hasFinished, "a choice behind the finish reason")
            let delta = choices[0]["delta"] ?? .null
            problems.check(delta.object != nil, "a choice without a delta")
            if !hasRole {
                problems.check(delta["role"]?.string == "assistant", "a first delta without a role")
                hasRole = true
            }
            told.thoughts += delta["reasoning_content"]?.string ?? ""
            told.text += (delta["content"]?.string ?? "") + (delta["refusal"]?.string ?? "")
            for piece in delta["tool_calls"]?.array ?? [] {
                take(piece, &told, &texts, &problems)
            }
            if let reason = choices[0]["finish_reason"], !reason.isNull {
                hasFinished = true
                told.finish = finish(reason.string, &problems)
            }
        }
        problems.check(identities.count == 1, "several identities: \(identities.sorted())")
        problems.check(hasFinished, "no finish reason")
        problems.check(
            (usage != nil) == wantsUsage,
            "usage: wanted \(wantsUsage), got \(usage != nil)"
        )
        for index in told.calls.indices {
            told.calls[index].arguments = problems.json(texts[index])
        }
        if let usage { told.usage = self.usage(usage, &problems) }
        return told
    }

    private static func take(
        _ piece: JSONValue,
        _ told: inout Told,
        _ texts: inout [String],
        _ problems: inout [String]
    ) {
        let index = piece["index"]?.int ?? -1
        let function = piece["function"] ?? .null
        if index == told.calls.count {
            problems.check(piece["type"]?.string == "function", "a call without its type")
            let name = function["name"]?.string ?? ""
            told.calls.append(
                Call(id: piece["id"]?.string ?? "", name: name, arguments: .null)
            )
            texts.append("")
        } else {
            problems.check(piece["id"] == nil, "an id twice")
            problems.check(function["name"] == nil, "a name twice")
        }
        guard texts.indices.contains(index) else {
            problems.append("a call with the index \(index)")
            return
        }
        texts[index] += function["arguments"]?.string ?? ""
    }
}
