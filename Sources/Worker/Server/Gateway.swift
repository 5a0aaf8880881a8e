// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import Config
import HTTP
import JSON
import Metrics

/// Decides what each request means: whether it is let in, and what answers it.
final class Gateway {
    enum Admission {
        /// Read the body, then call `handle`.
        case accepted(checksJSON: Bool, expectsContinue: Bool)
        /// `hasBody`: something follows the head that nobody will read.
        case refused(APIError, hasBody: Bool)
    }

    /// Longest part of a path or method that is shown in an error.
    private static let shownBytesMax = 100

    private let worker: Worker
    private lazy var starter = RequestStarter(worker: worker)

    init(worker: Worker) {
        self.worker = worker
    }

    // MARK: Heads

    /// Looks at a head before its body is read: a request that is refused here costs no body.
    func admit(
        _ head: borrowing RequestHead,
        _ bytes: Span<UInt8>,
        _ ledger: inout RequestLedger,
        _ memo: inout CredentialMemo
    ) -> Admission {
        let hasBody = head.framing != .none && head.framing != .length(0)
        do throws(APIError) {
            let endpoint = try route(head, bytes, &ledger)
            ledger.endpoint = endpoint
            if endpoint.format == .messages { ledger.noteAnthropic(head, in: bytes) }
            guard head.method != .options else {
                ledger.route = .preflight
                ledger.preflightHeaders = head.fields.first(.accessControlRequestHeaders)?.value
                return .accepted(checksJSON: false, expectsContinue: head.expectContinue)
            }
            ledger.route = endpoint.route
            if !endpoint.allows(head.method) {
                throw .methodNotAllowed(
                    Self.shown(bytes.extracting(head.methodRange)),
                    path: Self.shown(bytes.extracting(head.path)),
                    allow: endpoint.allow
                )
            }
            if endpoint.needsKey { try authenticate(head, bytes, &ledger, &memo) }
            if head.method == .post { try checkBody(head, bytes) }
            return .accepted(
                checksJSON: head.method == .post,
                expectsContinue: head.expectContinue
            )
        } catch {
            return .refused(error, hasBody: hasBody)
        }
    }

    private func route(
        _ head: borrowing RequestHead,
        _ bytes: Span<UInt8>,
        _ ledger: inout RequestLedger
    ) throws(APIError) -> Endpoint {
        #if DEBUG
        if worker.faults.has(.paths), bytes.hasPrefix("/fault/", at: head.path.lowerBound) {
            ledger.query = head.query
            return .health
        }
        #endif
        if let match = RequestPath.match(bytes.extracting(head.path)) {
            ledger.pathName = match.name.map {
                (head.path.lowerBound + $0.lowerBound)..<(head.path.lowerBound + $0.upperBound)
            }
            ledger.query = head.query
            // Google's SDK asks for its models below `/v1`, where OpenAI's are.
            let isGoogle = head.fields.first(.xGoogApiKey) != nil
            return isGoogle ? match.endpoint.inGoogleForm : match.endpoint
        }
        if head.method == .options, head.targetForm == .asterisk { return .health }
        ledger.route = .notFound
        throw .unknownPath(Self.shown(bytes.extracting(head.path)))
    }

    private func authenticate(
        _ head: borrowing RequestHead,
        _ bytes: Span<UInt8>,
        _ ledger: inout RequestLedger,
        _ memo: inout CredentialMemo
    ) throws(APIError) {
        guard worker.requiresKey else { return }
        guard let range = ClientCredential.find(head, in: bytes) else { throw .missingKey }
        guard let key = memo.find(bytes.extracting(range), in: worker.keys) else {
            throw .invalidKey
        }
        ledger.key = key
    }

    private func checkBody(
        _ head: borrowing RequestHead,
        _ bytes: Span<UInt8>
    ) throws(APIError) {
        if let field = head.fields.first(.contentEncoding) {
            let coding = bytes.extracting(field.value)
            let isIdentity = bytes.equalsIgnoringCase(field.value, "identity")
            if !isIdentity { throw .unsupportedEncoding(Self.shown(coding)) }
        }
        guard head.framing != .none else { throw .lengthRequired }
        if case .length(let length) = head.framing, length > worker.bodyBytesMax {
            throw .bodyTooLarge(limit: worker.bodyBytesMax)
        }
    }

    static func shown(_ text: Span<UInt8>) -> String {
        guard text.count > shownBytesMax else { return String(copying: text) }
        return String(copying: text.extracting(0..<shownBytesMax)) + "…"
    }

    // MARK: Requests

    /// Answers a request whose body is there, now or later.
    func handle(_ connection: ClientConnection) {
        guard let endpoint = connection.ledger.endpoint else {
            preconditionFailure("a request without endpoint was let in")
        }
        if connection.ledger.method == .options {
            answerOptions(connection, endpoint)
            return
        }
        #if DEBUG
        if worker.faults.handle(connection) { return }
        #endif
        switch endpoint {
        case .health:
            #if DEBUG
            if worker.faults.has(.probeFail) {
                connection.answerError(APIError(500, .server, "fault", "A fault was asked for."))
                return
            }
            #endif
            let writer = connection.beginAnswer(status: 200)
            writer.field("content-type", "application/json")
            connection.finishAnswer(writer, body: Self.healthy.span)
        case .models:
            worker.catalog.answerList(connection)
        case .geminiModels:
            worker.catalog.answerList(connection, isGemini: true)
        case .model:
            worker.catalog.answerOne(connection)
        case .geminiModel:
            worker.catalog.answerOne(connection, isGemini: true)
        case .chatCompletions, .plainChat, .completions, .embeddings, .responses,
            .responsesCompact, .messages, .countTokens, .gemini:
            do throws(APIError) {
                try starter.start(connection, endpoint)
            } catch {
                connection.answerError(error)
            }
        case .response:
            do throws(APIError) {
                try starter.startStored(connection)
            } catch {
                connection.answerError(error)
            }
        }
    }

    private static let healthy = Array(#"{"status":"ok"}"#.utf8)

    private func answerOptions(_ connection: ClientConnection, _ endpoint: Endpoint) {
        let writer = connection.beginAnswer(status: 204)
        writer.field("allow", endpoint.allow)
        if connection.ledger.origin != nil {
            worker.cors.appendPreflight(
                allow: endpoint.allow,
                headers: connection.ledger.preflightHeaders,
                in: connection.intake.input,
                to: writer
            )
        }
        connection.finishAnswer(writer, body: Span())
    }
}
