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

    /// Larger bodies are sent from where they are; copying a small one costs less than keeping track.
    private static let copiedBodyBytesMax = 8 << 10

    private let worker: Worker
    /// For bodies that are copied.
    private var copiedSplice = JSONSplice()

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
        if let endpoint = RequestPath.endpoint(bytes.extracting(head.path)) { return endpoint }
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

    private static func shown(_ text: Span<UInt8>) -> String {
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
        switch endpoint {
        case .health:
            let writer = connection.beginAnswer(status: 200)
            writer.field("content-type", "application/json")
            connection.finishAnswer(writer, body: Self.healthy.span)
        case .models:
            worker.catalog.answerList(connection)
        case .model(let id):
            worker.catalog.answerOne(connection, id: id)
        case .chatCompletions, .completions, .embeddings:
            do throws(APIError) {
                try start(connection, endpoint)
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

    /// Checks the body, finds the target and starts the exchange.
    private func start(
        _ connection: ClientConnection,
        _ endpoint: Endpoint
    ) throws(APIError) {
        guard let body = connection.intake.bodyBuffer else { throw Self.emptyBody }
        let range = connection.intake.bodyRange
        guard !range.isEmpty else { throw Self.emptyBody }
        let request: UpstreamRequest
        if range.count <= Self.copiedBodyBytesMax {
            copiedSplice.reset()
            request = try prepare(connection, endpoint, body, range, &copiedSplice, copies: true)
        } else {
            var splice = JSONSplice()
            request = try prepare(connection, endpoint, body, range, &splice, copies: false)
        }
        connection.exchange?.start(request)
    }

    /// Checks a body, makes the exchange, and says what it sends.
    private func prepare(
        _ connection: ClientConnection,
        _ endpoint: Endpoint,
        _ body: ByteBuffer,
        _ range: Range<Int>,
        _ splice: inout JSONSplice,
        copies: Bool
    ) throws(APIError) -> UpstreamRequest {
        let scan = connection.intake.scan ?? worker.scan
        var copies = copies
        let wire = try body.withBytes(in: range) { bytes throws(APIError) -> ByteBuffer in
            if connection.intake.scan == nil { scan.reset() }
            scan.advance(bytes, isFinal: true)
            if let error = scan.error {
                throw RequestContract.malformed(error, tape: scan.tape, bytes)
            }
            let facts = try RequestContract.check(endpoint, scan.tape, bytes)
            let upstream = try target(connection, facts, scan.tape, bytes, &splice)
            // The demo model takes its own copy at once.
            copies = copies && !upstream.isDemo
            let wire = worker.buffers.take()
            upstream.appendHead(
                endpoint,
                bodyBytes: splice.count(original: bytes.count),
                ledger: connection.ledger,
                client: connection.intake.input,
                to: wire
            )
            if copies { splice.append(original: bytes, to: wire) }
            connection.exchange = Exchange(
                connection: connection,
                upstream: upstream,
                facts: facts
            )
            return wire
        }
        return UpstreamRequest(
            method: .post,
            head: wire,
            body: copies ? [] : Self.pieces(splice, of: body, range),
            timeouts: worker.timeouts.upstream
        )
    }

    /// The spliced body as stretches of the original and of what was put in.
    private static func pieces(
        _ splice: JSONSplice,
        of body: ByteBuffer,
        _ range: Range<Int>
    ) -> [BodyPiece] {
        var segments: [JSONSplice.Segment] = []
        splice.appendSegments(original: range.count, to: &segments)
        return segments.map { segment in
            switch segment {
            case .original(let part):
                let start = range.lowerBound
                return BodyPiece(body, (start + part.lowerBound)..<(start + part.upperBound))
            case .replacement(let part):
                return BodyPiece(splice.replacements, part)
            }
        }
    }

    private static let emptyBody = APIError(
        400,
        .invalidRequest,
        "empty_body",
        "The request body is empty; a JSON object was expected."
    )

    /// Finds where the request goes and notes in `splice` how its body changes on the way.
    private func target(
        _ connection: ClientConnection,
        _ facts: RequestFacts,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ splice: inout JSONSplice
    ) throws(APIError) -> Upstream {
        let start = connection.intake.bodyRange.lowerBound
        let content = tape.contentRange(of: facts.model)
        connection.ledger.model = (start + content.lowerBound)..<(start + content.upperBound)
        connection.ledger.isStream = facts.isStream
        if tape.hasEscapes(facts.model) {
            let text = ByteBuffer(capacity: content.count)
            tape.appendUnescaped(facts.model, in: bytes, to: text)
            return try text.withBytes { name throws(APIError) in
                try target(connection, named: name, facts, tape, bytes, &splice)
            }
        }
        let name = bytes.extracting(content)
        return try target(connection, named: name, facts, tape, bytes, &splice)
    }

    private func target(
        _ connection: ClientConnection,
        named name: Span<UInt8>,
        _ facts: RequestFacts,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ splice: inout JSONSplice
    ) throws(APIError) -> Upstream {
        if let key = connection.ledger.key, !worker.keys.keys[key].allows(model: name) {
            throw .modelNotAllowed(Self.shown(name))
        }
        guard let target = worker.models.target(forModel: name) else {
            throw .modelNotFound(Self.shown(name))
        }
        connection.ledger.upstream = target.upstream
        switch target.name {
        case .unchanged:
            break
        case .withoutPrefix(let count):
            let rest = name.extracting(count..<name.count)
            RequestSplice.setModel(rest, facts, tape, into: &splice)
        case .replaced(let text):
            RequestSplice.setModel(text.utf8.span, facts, tape, into: &splice)
        }
        RequestSplice.askForUsage(facts, tape, bytes, into: &splice)
        return worker.upstreams[target.upstream]
    }
}
