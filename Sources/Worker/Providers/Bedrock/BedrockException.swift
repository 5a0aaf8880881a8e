// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// A failure that Bedrock names, in a stream or with a status.
package struct BedrockException: Equatable, Sendable {
    /// The failures that the Bedrock runtime documents.
    package enum Kind: String, CaseIterable, Sendable {
        case accessDenied = "accessDeniedException"
        case conflict = "conflictException"
        case internalServer = "internalServerException"
        case modelError = "modelErrorException"
        case modelNotReady = "modelNotReadyException"
        case modelStreamError = "modelStreamErrorException"
        case modelTimeout = "modelTimeoutException"
        case resourceNotFound = "resourceNotFoundException"
        case serviceQuotaExceeded = "serviceQuotaExceededException"
        case serviceUnavailable = "serviceUnavailableException"
        case throttling = "throttlingException"
        case validation = "validationException"
        /// A name that is not documented.
        case other = ""

        /// The status that the service gives the failure outside of a stream.
        package var status: Int {
            switch self {
            case .validation: 400
            case .accessDenied: 403
            case .resourceNotFound: 404
            case .modelTimeout: 408
            case .conflict: 400
            case .serviceQuotaExceeded: 400
            case .modelError, .modelStreamError: 424
            case .throttling, .modelNotReady: 429
            case .internalServer, .other: 500
            case .serviceUnavailable: 503
            }
        }

        /// Reads the name of an exception, or the value of `x-amzn-errortype`.
        ///
        /// There the first letter is upper-case, and a colon and an address may follow; the type of a
        /// body may have a name space and `#` before it.
        package init(name: some StringProtocol) {
            let name = name.split(separator: ":").first ?? ""
            let plain = name.split(separator: "#").last ?? ""
            let folded = plain.prefix(1).lowercased() + plain.dropFirst()
            self = Kind(rawValue: folded) ?? .other
        }
    }

    package let kind: Kind
    /// What the service says, shortened to 2 KiB; empty when it says nothing.
    package let message: String
    /// What the model behind the service answered, for failures of a model.
    package let originalStatus: Int?

    /// Longest message that is kept: it goes into an answer and a line of the log.
    private static let messageBytesMax = 2048

    package init(kind: Kind, message: String, originalStatus: Int? = nil) {
        self.kind = kind
        self.message = message
        self.originalStatus = originalStatus
    }

    /// Reads an exception or error of a stream.
    package init(_ message: AWSEventStreamMessage, in bytes: Span<UInt8>) {
        let kind = Kind(name: String(copying: bytes.extracting(message.name)))
        let payload = bytes.extracting(message.payload)
        guard message.kind == .error, let text = message.errorMessage else {
            self.init(kind: kind, body: payload)
            return
        }
        self.init(kind: kind, message: Self.shortened(bytes.extracting(text)))
    }

    /// Reads the body `{"message":"..."}` of a failure; what cannot be read leaves the message empty.
    package init(kind: Kind, body: Span<UInt8>) {
        var scanner = JSONScanner()
        do {
            _ = try scanner.scan(body, isFinal: true)
        } catch {
            // The kind says enough; a body that is not JSON may be anything.
            self.init(kind: kind, message: "")
            return
        }
        let tape = scanner.tape
        let node =
            tape.member("message", of: tape.root, in: body)
            ?? tape.member("Message", of: tape.root, in: body)
        let text = node.flatMap { tape.string(of: $0, in: body) } ?? ""
        let status = tape.member("originalStatusCode", of: tape.root, in: body)
            .flatMap { tape.integer(of: $0, in: body) }
        self.init(
            kind: kind,
            message: Self.shortened(Array(text.utf8).span),
            originalStatus: status.flatMap { (400...599).contains($0) ? $0 : nil }
        )
    }

    /// The status that the failure stands for.
    package var status: Int { kind.status }

    private static func shortened(_ text: Span<UInt8>) -> String {
        var end = min(text.count, messageBytesMax)
        // Not in the middle of a character.
        while end < text.count, end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        return String(copying: text.extracting(0..<end))
    }
}
