// SPDX-License-Identifier: Apache-2.0
import Bytes
package import JSON

/// Reads what an upstream says about its failure, whatever its shape.
///
/// Known shapes: OpenAI, Azure (with `innererror`), Anthropic, Google (also inside an array), AWS
/// (`message`, `Message`, `__type`, an exception's name as the member), SAP AI Core and its
/// orchestration, OAuth, Ollama's bare text, and bodies that are no JSON.
package enum ComplaintReader {
    /// Longest message that is kept; the longest ones of vendors list what a schema breaks.
    private static let messageBytesMax = 2_000
    /// Longest stretch of a body without any known member that is shown.
    private static let rawBytesMax = 300
    /// Longest type or code; longer ones are no names.
    private static let nameBytesMax = 100
    /// Errors wrapped in lists and objects deeper than this are nobody's format.
    private static let depthMax = 4

    /// Reads the body of a failed answer, which may be anything.
    ///
    /// `status` is the status of the answer.
    package static func read(
        body: Span<UInt8>,
        status: Int?,
        scanner: inout JSONScanner
    ) -> UpstreamComplaint {
        scanner.reset()
        do throws(JSONError) {
            if try scanner.scan(body, isFinal: true) {
                return read(scanner.tape.root, status: status, scanner.tape, body)
            }
        } catch {
            // No JSON: the text itself is all there is.
        }
        var complaint = UpstreamComplaint(message: rawText(body))
        if let status, status >= 400 { complaint.status = status }
        return complaint
    }

    /// Reads the error that stands at `root`: a whole document, or the error inside of one.
    package static func read(
        _ root: JSONNode,
        status: Int? = nil,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UpstreamComplaint {
        var found = Found()
        found.collect(root, tape, bytes, depth: 0)
        var complaint = UpstreamComplaint(message: "")
        if let message = found.message {
            complaint.message = message
        } else if !found.isKnown {
            complaint.message = rawText(bytes.extracting(tape.valueRange(of: root)))
        }
        complaint.type = found.type
        complaint.code = found.code
        complaint.param = found.param
        complaint.retryAfterMilliseconds = found.retryAfterMilliseconds
        // Google's name of the status is the type of its errors.
        if complaint.type == nil { complaint.type = found.statusName }
        let failed = status.flatMap { $0 >= 400 ? $0 : nil }
        complaint.status = ComplaintStatus.of(complaint, answer: failed ?? found.status)
        return complaint
    }

    /// The error that a document reports, nil for one that reports none.
    ///
    /// For answers and events with status 200.
    package static func find(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UpstreamComplaint? {
        reportsError(root, tape, bytes) ? read(root, tape, bytes) : nil
    }

    private static func reportsError(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        switch tape.kind(of: root) {
        case .array:
            for element in tape.elements(of: root) {
                return tape.kind(of: element) == .object && reportsError(element, tape, bytes)
            }
            return false
        case .object:
            for member in tape.members(of: root) {
                if tape.equals(member.name, "error", in: bytes)
                    || tape.equals(member.name, "errors", in: bytes)
                {
                    if !isNothing(member.value, tape) { return true }
                } else if tape.equals(member.name, "type", in: bytes)
                    || tape.equals(member.name, "object", in: bytes)
                {
                    if tape.equals(member.value, "error", in: bytes) { return true }
                } else if isException(member.name, tape, bytes) {
                    return true
                }
            }
            return false
        case .string, .number, .bool, .null:
            return false
        }
    }

    /// Whether a member says that there is no error.
    private static func isNothing(_ node: JSONNode, _ tape: JSONTape) -> Bool {
        switch tape.kind(of: node) {
        case .null: true
        case .bool: tape.bool(of: node) == false
        case .string: tape.contentRange(of: node).isEmpty
        case .array, .object: tape.valueRange(of: node).count <= 2
        case .number: false
        }
    }

    /// Whether `name` is an exception of AWS, as in `{"throttlingException":{...}}`.
    private static func isException(
        _ name: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        let range = tape.contentRange(of: name)
        guard range.count > 9, range.count <= nameBytesMax else { return false }
        let end = bytes.extracting(range.upperBound - 9..<range.upperBound)
        return String(copying: end) == "Exception"
    }

    /// A body without known members, on one line and cut; markup says nothing to a client.
    private static func rawText(_ body: Span<UInt8>) -> String {
        let cut = String(copying: body.extracting(first: min(body.count, rawBytesMax + 4)))
        let line = cut.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard !line.hasPrefix("<"), line != "{}", line != "null" else { return "" }
        return line.cut(toBytes: rawBytesMax)
    }

    // MARK: -

    /// What was found on the way down.
    private struct Found {
        var message: String?
        var type: String?
        var code: String?
        var param: String?
        /// A status as a number.
        var status: Int?
        /// Google's name of a status.
        var statusName: String?
        var retryAfterMilliseconds: Int?
        /// Whether there was a member that errors have.
        var isKnown = false

        /// Takes what `node` says; what is found first stays.
        mutating func collect(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>,
            depth: Int
        ) {
            guard depth < ComplaintReader.depthMax else { return }
            switch tape.kind(of: node) {
            case .string: setMessage(node, tape, bytes)
            case .array:
                for element in tape.elements(of: node) {
                    collect(element, tape, bytes, depth: depth + 1)
                    return
                }
            case .object:
                collectMembers(node, tape, bytes, depth: depth)
            case .number, .bool, .null: break
            }
        }

        private mutating func collectMembers(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>,
            depth: Int
        ) {
            // The inner error is more precise than what stands around it.
            for name in ["error", "errors"] {
                guard let inner = tape.member(named: name, of: node, in: bytes),
                    !ComplaintReader.isNothing(inner, tape)
                else { continue }
                isKnown = true
                collect(inner, tape, bytes, depth: depth + 1)
            }
            for member in tape.members(of: node) where !tape.isNull(member.value) {
                if ComplaintReader.isException(member.name, tape, bytes) {
                    type = type ?? tape.string(of: member.name, in: bytes)
                    isKnown = true
                    collect(member.value, tape, bytes, depth: depth + 1)
                } else {
                    take(member.name, member.value, tape, bytes, depth: depth)
                }
            }
        }

        private mutating func take(
            _ name: JSONNode,
            _ value: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>,
            depth: Int
        ) {
            func named(_ text: StaticString) -> Bool { tape.equals(name, text, in: bytes) }
            if named("message") || named("Message") || named("detail") || named("msg") {
                // FastAPI has a list of `{"loc","msg"}` here.
                collect(value, tape, bytes, depth: depth + 1)
            } else if named("error_description") {
                // OAuth: what stands in `error` is a code.
                code = code ?? message
                message = nil
                setMessage(value, tape, bytes)
            } else if named("type") || named("__type") {
                guard let text = text(value, tape, bytes), text != "error" else { return }
                // AWS: `com.amazonaws.bedrock#ThrottlingException`.
                type = type ?? text.split(separator: "#").last.map { String($0) }
            } else if named("location") {
                type = type ?? text(value, tape, bytes)
            } else if named("code") {
                setStatus(value, tape, bytes)
                code = code ?? text(value, tape, bytes)
            } else if named("status") {
                setStatus(value, tape, bytes)
                if statusName == nil, let name = text(value, tape, bytes),
                    ComplaintStatus.of(name: name) != nil
                {
                    statusName = name
                }
            } else if named("status_code") || named("statusCode") {
                setStatus(value, tape, bytes)
            } else if named("param") {
                param = param ?? text(value, tape, bytes)
            } else if named("innererror") {
                setInnerCode(value, tape, bytes)
            } else if named("details") {
                setRetryDelay(value, tape, bytes)
            } else {
                return
            }
            isKnown = true
        }

        private mutating func setMessage(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>
        ) {
            guard message == nil, let text = tape.string(of: node, in: bytes), !text.isEmpty else {
                return
            }
            message = text.cut(toBytes: ComplaintReader.messageBytesMax)
        }

        private mutating func setStatus(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>
        ) {
            let number =
                tape.integer(of: node, in: bytes)
                ?? text(node, tape, bytes).flatMap { $0.utf8.count == 3 ? Int($0) : nil }
            if let number, (400..<600).contains(number) { status = status ?? number }
        }

        /// Azure: `content_filter` hides behind a general code in some versions of the interface.
        private mutating func setInnerCode(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>
        ) {
            guard let inner = tape.member("code", of: node, in: bytes),
                tape.equals(inner, "ResponsibleAIPolicyViolation", in: bytes)
            else { return }
            code = "content_filter"
        }

        /// Google: `{"@type":".../google.rpc.RetryInfo","retryDelay":"34.5s"}` among the details.
        private mutating func setRetryDelay(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>
        ) {
            for detail in tape.elements(of: node) {
                guard let delay = tape.member("retryDelay", of: detail, in: bytes),
                    let text = tape.string(of: delay, in: bytes), text.last == "s",
                    let seconds = Double(text.dropLast()), seconds >= 0, seconds < 1e6
                else { continue }
                retryAfterMilliseconds = Int((seconds * 1_000).rounded(.up))
                return
            }
        }

        /// A short string, or a number in digits.
        private func text(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>
        ) -> String? {
            if let number = tape.integer(of: node, in: bytes) { return String(number) }
            guard tape.kind(of: node) == .string,
                (1...ComplaintReader.nameBytesMax).contains(tape.contentRange(of: node).count)
            else { return nil }
            return tape.string(of: node, in: bytes)
        }
    }
}

extension String {
    /// The text, or as many whole characters of its beginning as fit, and an ellipsis.
    func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var text = ""
        var room = limit - 3
        for character in self {
            room -= character.utf8.count
            if room < 0 { break }
            text.append(character)
        }
        return text + "…"
    }
}
