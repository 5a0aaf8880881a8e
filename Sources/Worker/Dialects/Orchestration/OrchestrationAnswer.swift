// SPDX-License-Identifier: Apache-2.0
package import JSON

/// What stands in the envelope of SAP's orchestration service, in answers and in events of streams.
///
/// The chat readers read the result at its node; what the modules of the service did on the way
/// (`intermediate_results`) is for nobody.
package enum OrchestrationAnswer: Equatable {
    /// A chat completion, or a chunk of one.
    case result(JSONNode)
    /// An object with an error in it, for `ComplaintReader`.
    case failure(JSONNode)
    /// Neither: an event that only tells what a module did.
    case nothing

    package init(_ root: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        self = .nothing
        // Several modules may fail at once; the first one is the reason.
        if tape.kind(of: root) == .array {
            for element in tape.elements(of: root) {
                self = OrchestrationAnswer(element, tape, bytes)
                return
            }
        }
        for member in tape.members(of: root) {
            if tape.equals(member.name, "error", in: bytes), Self.isSomething(member.value, tape) {
                self = .failure(root)
                return
            }
            // The name before version 2 of the interface.
            if tape.equals(member.name, "final_result", in: bytes)
                || tape.equals(member.name, "orchestration_result", in: bytes),
                tape.kind(of: member.value) == .object
            {
                self = .result(member.value)
            }
        }
    }

    private static func isSomething(_ node: JSONNode, _ tape: JSONTape) -> Bool {
        switch tape.kind(of: node) {
        // `{}` and `[]` have two bytes.
        case .object, .array: tape.valueRange(of: node).count > 2
        case .string: !tape.contentRange(of: node).isEmpty
        case .number, .bool, .null: false
        }
    }
}
