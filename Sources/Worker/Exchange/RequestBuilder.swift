// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Dialects
import JSON

/// Makes of a client's body what one target wants.
///
/// The same format on both sides is a splice: only what must change changes. Any other is read and
/// written anew.
final class RequestBuilder {
    /// Larger bodies are sent from where they are; copying a small one costs less than keeping track.
    private static let copiedBodyBytesMax = 8 << 10

    let buffers: BufferPool
    private let scratch = ConversionScratch()
    /// For bodies that are copied.
    private var copiedSplice = JSONSplice()

    init(buffers: BufferPool) {
        self.buffers = buffers
    }

    /// What a target gets.
    struct Built {
        /// Head and, when it is small, body.
        let wire: ByteBuffer
        let body: [BodyPiece]
        /// A converted body that is sent from where it is.
        var converted: ByteBuffer?
        /// What the answer has to be when embeddings are asked for.
        var embedding: EmbeddingWish?
        /// The other calls, when one is not enough.
        var batch: EmbeddingBatch?
    }

    /// The client's body and what was read from it.
    struct Source {
        let tape: JSONTape
        let body: ByteBuffer
        let range: Range<Int>
        /// The client's head.
        let head: ByteBuffer?
    }

    /// Builds the request.
    ///
    /// `ledger` and `client` are for the fields that are passed on, and `omissions` gets the names
    /// of what this target does not get.
    func build(
        _ request: ModelRequest,
        _ route: inout UpstreamRoute,
        _ upstream: Upstream,
        _ source: Source,
        ledger: borrowing RequestLedger,
        _ omissions: inout Omissions
    ) throws(APIError) -> Built {
        if isSplice(request, route) {
            guard source.range.count <= Self.copiedBodyBytesMax else {
                var splice = JSONSplice()
                return try spliced(
                    request,
                    &route,
                    upstream,
                    source,
                    ledger,
                    &omissions,
                    &splice
                )
            }
            copiedSplice.reset()
            return try spliced(
                request,
                &route,
                upstream,
                source,
                ledger,
                &omissions,
                &copiedSplice
            )
        }
        if case .embedding(let format) = route.shape {
            return try build(format, request, &route, upstream, source, ledger, &omissions)
        }
        let converted = buffers.take()
        do throws(APIError) {
            try source.body.withBytes(in: source.range) { bytes throws(APIError) in
                try convert(request, route, source.tape, bytes, &omissions, to: converted)
            }
        } catch {
            buffers.give(converted)
            throw error
        }
        return finish(converted, &route, upstream, ledger, source.head)
    }

    /// Puts the head before a converted body.
    func finish(
        _ converted: ByteBuffer,
        _ route: inout UpstreamRoute,
        _ upstream: Upstream,
        _ ledger: borrowing RequestLedger,
        _ head: ByteBuffer?
    ) -> Built {
        sign(&route, upstream, [BodyPiece(converted)])
        let wire = buffers.take()
        append(route, upstream, converted.count, ledger, head, to: wire)
        // The demo model looks for the body where a large one is.
        guard converted.count <= Self.copiedBodyBytesMax, !upstream.isDemo else {
            return Built(wire: wire, body: [BodyPiece(converted)], converted: converted)
        }
        wire.append(converted)
        buffers.give(converted)
        return Built(wire: wire, body: [])
    }

    /// Builds the request for a stored response, which has no body.
    func build(
        _ stored: StoredResponse,
        _ route: UpstreamRoute,
        _ upstream: Upstream,
        ledger: borrowing RequestLedger,
        client head: ByteBuffer?
    ) -> Built {
        let wire = buffers.take()
        upstream.server?.appendHead(
            route,
            method: stored.isDelete ? "DELETE " : "GET ",
            bodyBytes: 0,
            ledger: ledger,
            client: head,
            to: wire
        )
        return Built(wire: wire, body: [])
    }

    private func isSplice(_ request: ModelRequest, _ route: UpstreamRoute) -> Bool {
        if request.isPlain || route.isOrchestration { return false }
        switch route.shape {
        case .conversation, .countTokens: return request.format == route.plan.format
        case .embedding(let format):
            return format.isOpenAI && request.endpoint == .embeddings
        }
    }

    // MARK: The same format

    private func spliced(
        _ request: ModelRequest,
        _ route: inout UpstreamRoute,
        _ upstream: Upstream,
        _ source: Source,
        _ ledger: borrowing RequestLedger,
        _ omissions: inout Omissions,
        _ splice: inout JSONSplice
    ) throws(APIError) -> Built {
        let (body, range, tape) = (source.body, source.range, source.tape)
        var embedding: EmbeddingWish?
        try body.withBytes(in: range) { bytes throws(APIError) in
            do throws(ConversionError) {
                switch route.shape {
                case .conversation, .countTokens:
                    try Conversion.adaptRequest(route.plan, tape, bytes, &omissions, into: &splice)
                case .embedding(let format):
                    try EmbeddingAdapter.adapt(
                        format,
                        route.plan,
                        tape,
                        bytes,
                        &omissions,
                        into: &splice
                    )
                    embedding = EmbeddingWish(passedOn: tape, bytes)
                }
            } catch {
                throw Self.refusal(error, tape, bytes)
            }
        }
        let count = splice.count(original: range.count)
        // The demo model takes its own copy at once.
        let copies = range.count <= Self.copiedBodyBytesMax && !upstream.isDemo
        let pieces = Self.pieces(splice, of: body, range)
        sign(&route, upstream, pieces)
        let wire = buffers.take()
        append(route, upstream, count, ledger, source.head, to: wire)
        guard copies else { return Built(wire: wire, body: pieces, embedding: embedding) }
        body.withBytes(in: range) { splice.append(original: $0, to: wire) }
        return Built(wire: wire, body: [], embedding: embedding)
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

    // MARK: Another format

    private func convert(
        _ request: ModelRequest,
        _ route: UpstreamRoute,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(APIError) {
        do throws(ConversionError) {
            switch route.shape {
            case .conversation, .countTokens:
                var conversation =
                    request.isPlain
                    ? try PlainChatReader.read(tape, bytes)
                    : try Conversion.readRequest(request.format, tape, bytes)
                conversation.isStream = request.isStream
                if route.isOrchestration {
                    try Orchestration.writeRequest(
                        conversation,
                        route.plan,
                        from: bytes,
                        scratch,
                        &omissions,
                        to: out
                    )
                } else {
                    try Conversion.writeRequest(
                        conversation,
                        route.plan,
                        from: bytes,
                        scratch,
                        &omissions,
                        to: out
                    )
                }
            case .embedding:
                preconditionFailure("requests for embeddings have a builder of their own")
            }
        } catch {
            throw Self.refusal(error, tape, bytes)
        }
    }

    /// What the client is told about a request that cannot be read or said.
    static func refusal(
        _ error: ConversionError,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> APIError {
        let path = error.path(tape, bytes)
        let subject = path.isEmpty ? "The request" : "'\(path)'"
        let code: StaticString =
            switch error.kind {
            case .invalid: "invalid_value"
            case .unsupported: "unsupported_value"
            }
        return APIError(
            400,
            .invalidRequest,
            code,
            "\(subject) \(error.message).",
            param: path.isEmpty ? nil : path
        )
    }

    // MARK: Heads

    private func append(
        _ route: UpstreamRoute,
        _ upstream: Upstream,
        _ bodyBytes: Int,
        _ ledger: borrowing RequestLedger,
        _ head: ByteBuffer?,
        to wire: ByteBuffer
    ) {
        guard let server = upstream.server else {
            // The demo model only asks which of its talents is wanted.
            if case .fixed(let path) = route.path { wire.append(path) }
            return
        }
        server.appendHead(route, bodyBytes: bodyBytes, ledger: ledger, client: head, to: wire)
    }

    private func sign(
        _ route: inout UpstreamRoute,
        _ upstream: Upstream,
        _ body: @autoclosure () -> [BodyPiece]
    ) {
        guard case .bedrock(let access) = upstream.service else { return }
        var hash = SHA256()
        for piece in body() { piece.buffer.withBytes(in: piece.range) { hash.update($0) } }
        access.sign(&route, payload: hash.finish())
    }
}
