// SPDX-License-Identifier: Apache-2.0
import JSON

/// The members of one item of an input, found in one walk.
struct ResponsesItem {
    let node: JSONNode
    private(set) var type: JSONNode?
    private(set) var id: JSONNode?
    private(set) var role: JSONNode?
    private(set) var content: JSONNode?
    private(set) var callID: JSONNode?
    private(set) var name: JSONNode?
    private(set) var arguments: JSONNode?
    /// What a custom tool is called with.
    private(set) var input: JSONNode?
    private(set) var output: JSONNode?
    private(set) var summary: JSONNode?
    private(set) var encrypted: JSONNode?

    init(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        self.node = node
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let name = member.name
            if tape.equals(name, "type", in: bytes) {
                type = member.value
            } else if tape.equals(name, "role", in: bytes) {
                role = member.value
            } else if tape.equals(name, "content", in: bytes) {
                content = member.value
            } else if tape.equals(name, "call_id", in: bytes) {
                callID = member.value
            } else if tape.equals(name, "name", in: bytes) {
                self.name = member.value
            } else if tape.equals(name, "arguments", in: bytes) {
                arguments = member.value
            } else if tape.equals(name, "output", in: bytes) {
                output = member.value
            } else if tape.equals(name, "input", in: bytes) {
                input = member.value
            } else if tape.equals(name, "summary", in: bytes) {
                summary = member.value
            } else if tape.equals(name, "encrypted_content", in: bytes) {
                encrypted = member.value
            } else if tape.equals(name, "id", in: bytes) {
                id = member.value
            }
        }
    }
}

/// The members of one part of a content, found in one walk.
struct ResponsesPart {
    let node: JSONNode
    private(set) var type: JSONNode?
    private(set) var text: JSONNode?
    private(set) var refusal: JSONNode?
    private(set) var imageURL: JSONNode?
    private(set) var detail: JSONNode?
    private(set) var fileID: JSONNode?
    private(set) var fileData: JSONNode?
    private(set) var fileURL: JSONNode?
    private(set) var filename: JSONNode?
    private(set) var audio: JSONNode?

    init(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        self.node = node
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let name = member.name
            if tape.equals(name, "type", in: bytes) {
                type = member.value
            } else if tape.equals(name, "text", in: bytes) {
                text = member.value
            } else if tape.equals(name, "image_url", in: bytes) {
                imageURL = member.value
            } else if tape.equals(name, "detail", in: bytes) {
                detail = member.value
            } else if tape.equals(name, "file_id", in: bytes) {
                fileID = member.value
            } else if tape.equals(name, "file_data", in: bytes) {
                fileData = member.value
            } else if tape.equals(name, "file_url", in: bytes) {
                fileURL = member.value
            } else if tape.equals(name, "filename", in: bytes) {
                filename = member.value
            } else if tape.equals(name, "refusal", in: bytes) {
                refusal = member.value
            } else if tape.equals(name, "input_audio", in: bytes) {
                audio = member.value
            }
        }
    }
}
