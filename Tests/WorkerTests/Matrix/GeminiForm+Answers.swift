// SPDX-License-Identifier: Apache-2.0
import Support

extension GeminiForm {
    private static func finish(_ finish: Told.Finish) -> Wire {
        switch finish {
        case .end, .stopText, .calls: "STOP"
        case .length: "MAX_TOKENS"
        case .refusal: "SAFETY"
        }
    }

    // MARK: An upstream's answer

    private static func chunk(
        _ parts: [Wire],
        finish: Wire?,
        _ usage: Told.Usage,
        _ manner: AnswerManner
    ) -> Wire {
        let candidate = Wire.object([
            ("content", ["role": "model", "parts": .array(parts)])
        ]).adding([("finishReason", finish), ("index", 0)])
        return [
            "candidates": [candidate],
            "usageMetadata": [
                "promptTokenCount": .int(usage.input),
                "cachedContentTokenCount": .int(usage.cached),
                "candidatesTokenCount": .int(usage.output - usage.thoughts),
                "thoughtsTokenCount": .int(usage.thoughts),
                "totalTokenCount": .int(usage.input + usage.output),
            ],
            "modelVersion": .string(manner.model), "responseId": "resp-up1",
        ]
    }

    private static func parts(_ call: Call) -> Wire {
        ["functionCall": ["name": .string(call.name), "args": Wire(call.arguments)]]
    }

    static func answer(_ told: Told, _ manner: AnswerManner) -> Wire {
        var parts: [Wire] = []
        if manner.tellsThoughts, !told.thoughts.isEmpty {
            parts.append(["text": .string(told.thoughts), "thought": true])
        }
        // Two parts: the whole text is all of them.
        for piece in pieces(of: told.text, 2) { parts.append(["text": .string(piece)]) }
        parts += told.calls.map { Self.parts($0) }
        return chunk(parts, finish: finish(told.finish), told.usage, manner)
    }

    /// The JSON of each chunk of a stream.
    static func stream(_ told: Told, _ manner: AnswerManner) -> [String] {
        var chunks: [[Wire]] = []
        if manner.tellsThoughts {
            chunks += pieces(of: told.thoughts, 3).map { [["text": .string($0), "thought": true]] }
        }
        chunks += pieces(of: told.text, 7).map { [["text": .string($0)]] }
        if !told.calls.isEmpty {
            chunks.append([parts(told.calls[0])])
            if told.calls.count > 1 { chunks.append(told.calls.dropFirst().map { parts($0) }) }
        }
        return chunks.enumerated().map { index, parts in
            var usage = told.usage
            let isLast = index == chunks.count - 1
            // Counts grow; the last ones count.
            if !isLast { usage.output = usage.thoughts + index }
            return chunk(parts, finish: isLast ? finish(told.finish) : nil, usage, manner)
                .text(manner.style)
        }
    }

    // MARK: What a client got

    static func told(in body: JSONValue, _ problems: inout [String]) -> Told {
        var told = Told()
        var hasFinished = false
        take(body, &told, &hasFinished, &problems)
        problems.check(hasFinished, "no finish reason")
        return told
    }

    /// The answer that a stream tells.
    static func told(events: [ClientEvent], _ problems: inout [String]) -> Told {
        var told = Told()
        var hasFinished = false
        problems.check(events.allSatisfy { $0.name == nil }, "an event with a name")
        for event in events {
            problems.check(event.data != "[DONE]", "a [DONE]")
            problems.check(!hasFinished, "a chunk behind the finish reason")
            take(problems.json(event.data), &told, &hasFinished, &problems)
        }
        problems.check(hasFinished, "no finish reason")
        return told
    }

    private static func take(
        _ chunk: JSONValue,
        _ told: inout Told,
        _ hasFinished: inout Bool,
        _ problems: inout [String]
    ) {
        problems.check(chunk["error"] == nil, "an error: \(chunk.compact)")
        if let counts = chunk["usageMetadata"] {
            let thoughts = counts["thoughtsTokenCount"]?.int ?? 0
            told.usage = Told.Usage(
                input: counts["promptTokenCount"]?.int ?? -1,
                cached: counts["cachedContentTokenCount"]?.int ?? 0,
                output: (counts["candidatesTokenCount"]?.int ?? 0) + thoughts,
                thoughts: thoughts
            )
            let sum = told.usage.input + told.usage.output
            problems.check(counts["totalTokenCount"]?.int == sum, "a wrong sum of tokens")
        }
        guard let candidate = chunk["candidates"]?[0] else { return }
        problems.check(chunk["candidates"]?.array?.count == 1, "several candidates")
        let role = candidate["content"]?["role"]?.string
        problems.check(candidate["content"] == nil || role == "model", "another role")
        for part in candidate["content"]?["parts"]?.array ?? [] {
            if let call = part["functionCall"] {
                told.calls.append(
                    Call(
                        id: call["id"]?.string ?? "",
                        name: call["name"]?.string ?? "",
                        arguments: call["args"] ?? .object([:])
                    )
                )
            } else if part["thought"]?.bool == true {
                told.thoughts += part["text"]?.string ?? ""
            } else {
                problems.check(part["text"]?.isString == true, "a strange part: \(part.compact)")
                told.text += part["text"]?.string ?? ""
            }
        }
        guard let reason = candidate["finishReason"] else { return }
        hasFinished = true
        switch reason.string {
        case "STOP": told.finish = told.calls.isEmpty ? .end : .calls
        case "MAX_TOKENS": told.finish = .length
        case "SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII":
            told.finish = .refusal
        case let other: problems.append("the finish reason '\(other ?? "none")'")
        }
    }
}
