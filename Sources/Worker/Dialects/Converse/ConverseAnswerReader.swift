// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a whole answer of Bedrock Converse.
enum ConverseAnswerReader {
    static func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Answer {
        try MessagesValue.mustBeObject(root, tape)
        var answer = Answer()
        var output: JSONNode?
        var reason: JSONNode?
        for member in tape.members(of: root) where !tape.isNull(member.value) {
            if tape.equals(member.name, "output", in: bytes) {
                output = member.value
            } else if tape.equals(member.name, "stopReason", in: bytes) {
                reason = member.value
            } else if tape.equals(member.name, "usage", in: bytes) {
                answer.usage = ConverseUsage.read(member.value, tape, bytes)
            }
        }
        guard let output else { throw MessagesValue.missing("output", of: root, tape, bytes) }
        guard let message = MessagesValue.member("message", of: output, tape, bytes) else {
            throw MessagesValue.missing("message", of: output, tape, bytes)
        }
        guard let content = MessagesValue.member("content", of: message, tape, bytes) else {
            throw MessagesValue.missing("content", of: message, tape, bytes)
        }
        try MessagesValue.mustBeArray(content, tape)
        for block in tape.elements(of: content) {
            ConverseBlock.read(block, tape, bytes, into: &answer.parts)
        }
        answer.finish = ConverseFinish.reason(reason, tape, bytes)
        answer.stopSequence = ConverseFinish.stopSequence(of: root, tape, bytes)
        return answer
    }
}
