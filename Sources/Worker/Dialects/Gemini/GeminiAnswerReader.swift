// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a whole answer of Gemini's generateContent.
enum GeminiAnswerReader {
    /// A list, which streams are without server-sent events, counts as its parts together.
    static func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Answer {
        var answer = Answer()
        var finish: JSONNode?
        var hasCandidate = false
        var isBlocked = false
        for element in try GeminiList(root, tape) {
            if let complaint = ComplaintReader.find(element, tape, bytes) {
                throw .invalid(element, tape, "reports an error: " + complaint.message)
            }
            let chunk = GeminiChunk(element, tape, bytes)
            hasCandidate = hasCandidate || chunk.hasCandidate
            isBlocked = isBlocked || chunk.isBlocked
            finish = chunk.finishReason ?? finish
            if let id = chunk.id { answer.id = answer.id ?? JSONText(id, tape) }
            if let usage = chunk.usage {
                answer.usage = GeminiUsage.read(usage, tape, bytes) ?? answer.usage
            }
            for part in chunk.elements(tape) {
                try read(part, tape, bytes, into: &answer.parts)
            }
        }
        guard hasCandidate || isBlocked else {
            throw GeminiValue.missing("candidates", of: root, tape, bytes)
        }
        let hasCalls = answer.parts.contains { part in
            if case .toolCall = part { true } else { false }
        }
        let reason = finish.flatMap {
            GeminiFinish.read($0, hasCalls: hasCalls, tape, bytes)
        }
        answer.finish = reason ?? (isBlocked ? .contentFilter : hasCalls ? .toolCalls : .stop)
        return answer
    }

    private static func read(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into parts: inout [Part]
    ) throws(ConversionError) {
        let part = GeminiPart(node, tape, bytes)
        if let text = part.text {
            let text = try GeminiValue.text(text, tape)
            if text.isEmpty { return }
            parts.append(part.isThought ? .thinking(Thinking(text: text)) : .text(TextBlock(text)))
        } else if let call = part.functionCall {
            var call = try GeminiCallReader.read(call, tape, bytes)
            call.signature = part.signature(tape)
            parts.append(.toolCall(call))
        } else if let data = part.inlineData {
            parts.append(.media(try GeminiMedia.readInline(data, tape, bytes)))
        } else if let file = part.fileData {
            parts.append(.media(try GeminiMedia.readFile(file, tape, bytes)))
        } else if let text = part.codeText(tape, bytes) {
            parts.append(.text(TextBlock(text)))
        }
    }
}
