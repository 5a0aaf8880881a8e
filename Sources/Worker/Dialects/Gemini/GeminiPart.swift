// SPDX-License-Identifier: Apache-2.0
import JSON

/// The members of one `Part` of a content, found in one pass.
///
/// Google's JSON takes every member in camelCase and in snake_case.
struct GeminiPart {
    var text: JSONNode?
    var inlineData: JSONNode?
    var fileData: JSONNode?
    var functionCall: JSONNode?
    var functionResponse: JSONNode?
    var executableCode: JSONNode?
    var codeExecutionResult: JSONNode?
    var isThought = false
    private var signatureNode: JSONNode?
    /// Name of the first member that is none of these.
    var unknown: JSONNode?

    init(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let value = member.value
            func isNamed(_ camel: StaticString, _ snake: StaticString) -> Bool {
                tape.equals(member.name, camel, or: snake, in: bytes)
            }
            if tape.equals(member.name, "text", in: bytes) {
                text = value
            } else if isNamed("functionCall", "function_call") {
                functionCall = value
            } else if isNamed("functionResponse", "function_response") {
                functionResponse = value
            } else if isNamed("inlineData", "inline_data") {
                inlineData = value
            } else if tape.equals(member.name, "thought", in: bytes) {
                isThought = tape.bool(of: value) == true
            } else if isNamed("thoughtSignature", "thought_signature") {
                signatureNode = value
            } else if isNamed("fileData", "file_data") {
                fileData = value
            } else if isNamed("executableCode", "executable_code") {
                executableCode = value
            } else if isNamed("codeExecutionResult", "code_execution_result") {
                codeExecutionResult = value
            } else {
                unknown = unknown ?? member.name
            }
        }
    }

    /// The signature as it came; nil for one that is empty or no string.
    func signature(_ tape: JSONTape) -> JSONText? {
        guard let node = signatureNode, tape.kind(of: node) == .string,
            !tape.contentRange(of: node).isEmpty
        else { return nil }
        return JSONText(node, tape)
    }

    /// Code that Google ran, or what it printed, as text that any vendor's model understands; nil
    /// for other parts.
    func codeText(_ tape: JSONTape, _ bytes: Span<UInt8>) -> JSONText? {
        if let executableCode {
            let code = Self.string("code", of: executableCode, tape, bytes)
            let language = Self.string("language", of: executableCode, tape, bytes).lowercased()
            let isKnown = language == "python"
            return .text("```\(isKnown ? language : "")\n\(code)\n```\n")
        }
        guard let codeExecutionResult else { return nil }
        return .text("```\n\(Self.string("output", of: codeExecutionResult, tape, bytes))\n```\n")
    }

    private static func string(
        _ name: StaticString,
        of node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> String {
        tape.member(name, of: node, in: bytes).flatMap { tape.string(of: $0, in: bytes) } ?? ""
    }
}
