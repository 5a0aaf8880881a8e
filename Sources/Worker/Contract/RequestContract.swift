// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import JSON

/// What the gateway needs to know of a model request, checked.
struct RequestFacts: Equatable {
    /// The model's name: a string node, or nil where the path or the configuration names it.
    let model: JSONNode?
    let isStream: Bool
    /// Whether the client asked for the usage chunk of a stream.
    let wantsUsage: Bool
}

/// Checks the body of a model request against what every server of its format needs.
///
/// Only what must hold anywhere is checked: members that the gateway does not know are the
/// upstream's business and arrive there unchanged.
enum RequestContract {
    /// `namesModel` says whether the body has to name the model.
    static func check(
        _ endpoint: Endpoint,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        namesModel: Bool = true
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
        let model = try checkModel(members.model, tape, isNeeded: namesModel)
        switch endpoint {
        case .chatCompletions, .plainChat, .messages, .countTokens:
            try checkTurns("messages", members.messages, tape, bytes, roleIsNeeded: true)
        case .completions: try require("prompt", members.prompt, tape)
        case .embeddings: try require("input", members.input, tape)
        case .responses, .responsesCompact: try checkInput(members.input, tape)
        case .gemini(.generate), .gemini(.stream):
            try checkTurns("contents", members.contents, tape, bytes, roleIsNeeded: false)
        case .gemini, .response, .models, .model, .geminiModels, .geminiModel, .health: break
        }
        return try streamFacts(members, model, tape, bytes)
    }

    private static func checkModel(
        _ node: JSONNode?,
        _ tape: JSONTape,
        isNeeded: Bool
    ) throws(APIError) -> JSONNode? {
        guard let node, isNeeded || !tape.isNull(node) else {
            guard isNeeded else { return nil }
            throw invalid("The member 'model' is missing.", "model", "missing_required_parameter")
        }
        guard tape.kind(of: node) == .string, !tape.contentRange(of: node).isEmpty else {
            throw invalid("'model' must be a string that is not empty.", "model", "invalid_type")
        }
        return node
    }

    /// A text or items; may be missing where a stored prompt or an earlier response has them.
    private static func checkInput(_ node: JSONNode?, _ tape: JSONTape) throws(APIError) {
        guard let node, !tape.isNull(node) else { return }
        try require("input", node, tape)
    }

    /// The members of the body that matter here, found in one pass.
    private struct Members {
        var model: JSONNode?
        var messages: JSONNode?
        var prompt: JSONNode?
        var input: JSONNode?
        var contents: JSONNode?
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
                } else if tape.equals(name, "contents", in: bytes) {
                    contents = member.value
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

    private static func checkTurns(
        _ list: String,
        _ node: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        roleIsNeeded: Bool
    ) throws(APIError) {
        guard let turns = node else {
            throw invalid(
                "The member '\(list)' is missing.",
                list,
                "missing_required_parameter"
            )
        }
        guard tape.kind(of: turns) == .array else {
            throw invalid("'\(list)' must be an array.", list, "invalid_type")
        }
        var index = 0
        for turn in tape.elements(of: turns) {
            guard tape.kind(of: turn) == .object else {
                let path = "\(list)[\(index)]"
                throw invalid("'\(path)' must be an object.", path, "invalid_type")
            }
            if let role = tape.member("role", of: turn, in: bytes) {
                guard tape.kind(of: role) == .string else {
                    let path = "\(list)[\(index)].role"
                    throw invalid("'\(path)' must be a string.", path, "invalid_type")
                }
            } else if roleIsNeeded {
                let path = "\(list)[\(index)].role"
                throw invalid("'\(path)' is missing.", path, "missing_required_parameter")
            }
            index += 1
        }
        if index == 0 {
            throw invalid("'\(list)' must not be empty.", list, "empty_array")
        }
    }

    private static func streamFacts(
        _ members: Members,
        _ model: JSONNode?,
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
            wantsUsage: wantsUsage
        )
    }

    static func invalid(
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
