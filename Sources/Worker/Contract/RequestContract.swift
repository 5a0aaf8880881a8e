// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import JSON

/// What the gateway needs to know of a model request, checked.
struct RequestFacts: Equatable {
    /// The model's name: a string node.
    let model: JSONNode
    let isStream: Bool
    /// Whether the client asked for the usage chunk of a stream.
    let wantsUsage: Bool
    /// The `stream_options` member if it is an object.
    let streamOptions: JSONNode?
}

/// Checks the body of a model request against what every OpenAI-compatible server needs.
///
/// Only what must hold anywhere is checked: members that the gateway does not know are the
/// upstream's business and arrive there unchanged.
enum RequestContract {
    static func check(
        _ endpoint: Endpoint,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(APIError) -> RequestFacts {
        let root = tape.root
        guard tape.kind(of: root) == .object else {
            throw invalid("The request body must be a JSON object.", nil, "invalid_type")
        }
        // An upstream may read the other one of two members with one name than we do.
        if let name = tape.duplicateName(in: root, bytes: bytes) {
            let text = tape.string(of: name, in: bytes) ?? ""
            throw invalid("The member '\(text)' is given twice.", text, "duplicate_member")
        }
        let members = Members(tape, bytes)
        guard let model = members.model else {
            throw invalid("The member 'model' is missing.", "model", "missing_required_parameter")
        }
        guard tape.kind(of: model) == .string, !tape.contentRange(of: model).isEmpty else {
            throw invalid("'model' must be a string that is not empty.", "model", "invalid_type")
        }
        switch endpoint {
        case .chatCompletions: try checkMessages(members.messages, tape, bytes)
        case .completions: try require("prompt", members.prompt, tape)
        case .embeddings: try require("input", members.input, tape)
        case .models, .model, .health: break
        }
        return try streamFacts(members, model, tape, bytes)
    }

    /// The members of the body that matter here, found in one pass.
    private struct Members {
        var model: JSONNode?
        var messages: JSONNode?
        var prompt: JSONNode?
        var input: JSONNode?
        var stream: JSONNode?
        var streamOptions: JSONNode?

        init(_ tape: JSONTape, _ bytes: Span<UInt8>) {
            for member in tape.members(of: tape.root) {
                let name = member.name
                if tape.equals(name, "model", in: bytes) {
                    model = member.value
                } else if tape.equals(name, "messages", in: bytes) {
                    messages = member.value
                } else if tape.equals(name, "stream", in: bytes) {
                    stream = member.value
                } else if tape.equals(name, "stream_options", in: bytes) {
                    streamOptions = member.value
                } else if tape.equals(name, "prompt", in: bytes) {
                    prompt = member.value
                } else if tape.equals(name, "input", in: bytes) {
                    input = member.value
                }
            }
        }
    }

    private static func require(
        _ text: String,
        _ node: JSONNode?,
        _ tape: JSONTape
    ) throws(APIError) {
        guard let node else {
            throw invalid("The member '\(text)' is missing.", text, "missing_required_parameter")
        }
        switch tape.kind(of: node) {
        case .string, .array: break
        case .object, .number, .bool, .null:
            throw invalid("'\(text)' must be a string or an array.", text, "invalid_type")
        }
    }

    private static func checkMessages(
        _ node: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(APIError) {
        guard let messages = node else {
            throw invalid(
                "The member 'messages' is missing.",
                "messages",
                "missing_required_parameter"
            )
        }
        guard tape.kind(of: messages) == .array else {
            throw invalid("'messages' must be an array.", "messages", "invalid_type")
        }
        var index = 0
        for message in tape.elements(of: messages) {
            guard tape.kind(of: message) == .object else {
                let path = "messages[\(index)]"
                throw invalid("'\(path)' must be an object.", path, "invalid_type")
            }
            guard let role = tape.member("role", of: message, in: bytes) else {
                let path = "messages[\(index)].role"
                throw invalid("'\(path)' is missing.", path, "missing_required_parameter")
            }
            guard tape.kind(of: role) == .string else {
                let path = "messages[\(index)].role"
                throw invalid("'\(path)' must be a string.", path, "invalid_type")
            }
            index += 1
        }
        if index == 0 {
            throw invalid("'messages' must not be empty.", "messages", "empty_array")
        }
    }

    private static func streamFacts(
        _ members: Members,
        _ model: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(APIError) -> RequestFacts {
        var isStream = false
        if let stream = members.stream, !tape.isNull(stream) {
            guard let value = tape.bool(of: stream) else {
                throw invalid("'stream' must be true or false.", "stream", "invalid_type")
            }
            isStream = value
        }
        var wantsUsage = false
        var options = members.streamOptions
        if let node = options, tape.isNull(node) { options = nil }
        if let options {
            guard tape.kind(of: options) == .object else {
                throw invalid(
                    "'stream_options' must be an object.",
                    "stream_options",
                    "invalid_type"
                )
            }
            if let wish = tape.member("include_usage", of: options, in: bytes),
                !tape.isNull(wish)
            {
                guard let value = tape.bool(of: wish) else {
                    let path = "stream_options.include_usage"
                    throw invalid("'\(path)' must be true or false.", path, "invalid_type")
                }
                wantsUsage = value
            }
        }
        return RequestFacts(
            model: model,
            isStream: isStream,
            wantsUsage: wantsUsage,
            streamOptions: options
        )
    }

    private static func invalid(
        _ message: String,
        _ path: String?,
        _ code: StaticString
    ) -> APIError {
        APIError(400, .invalidRequest, code, message, param: path)
    }

    /// The answer to a body that is no JSON.
    static func malformed(_ error: JSONError, tape: JSONTape, _ bytes: Span<UInt8>) -> APIError {
        let place = error.position(in: bytes)
        let path = tape.path(at: error.offset, in: bytes)
        let within = path.isEmpty ? "" : " (in '\(path)')"
        return APIError(
            400,
            .invalidRequest,
            "invalid_json",
            "The request body is not valid JSON: line \(place.line), column \(place.column)"
                + "\(within): \(error.message).",
            param: path.isEmpty ? nil : path
        )
    }
}
