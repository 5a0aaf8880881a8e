// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON

/// The calls that one request for embeddings takes, each built when its turn comes.
///
/// The client's body and head stay where they are until its answer is written.
struct EmbeddingBatch {
    let writer: EmbeddingWriter
    /// Without a signature, which is made for each call.
    let route: UpstreamRoute
    let upstream: Upstream
    let body: ByteBuffer
    let range: Range<Int>
    /// The client's head.
    let head: ByteBuffer?
}

extension RequestBuilder {
    /// Builds the first call of a request for embeddings in another format.
    func build(
        _ format: EmbeddingFormat,
        _ request: ModelRequest,
        _ route: inout UpstreamRoute,
        _ upstream: Upstream,
        _ source: Source,
        _ ledger: borrowing RequestLedger,
        _ omissions: inout Omissions
    ) throws(APIError) -> Built {
        let writer = try source.body.withBytes(in: source.range) { bytes throws(APIError) in
            do throws(ConversionError) {
                let embedding = try EmbeddingRequest.read(
                    request.endpoint.embeddingClient,
                    source.tape,
                    bytes
                )
                return try EmbeddingWriter(embedding, format, route.plan, &omissions)
            } catch {
                throw Self.refusal(error, source.tape, bytes)
            }
        }
        route.isPart = writer.calls > 1
        let batch = EmbeddingBatch(
            writer: writer,
            route: route,
            upstream: upstream,
            body: source.body,
            range: source.range,
            head: source.head
        )
        var built = build(call: 0, of: batch, ledger)
        built.embedding = writer.wish
        if writer.calls > 1 { built.batch = batch }
        return built
    }

    /// Builds one call; all were checked at the start.
    func build(
        call index: Int,
        of batch: EmbeddingBatch,
        _ ledger: borrowing RequestLedger
    ) -> Built {
        let converted = buffers.take()
        batch.body.withBytes(in: batch.range) { bytes in
            batch.writer.write(call: index, from: bytes, to: converted)
        }
        var route = batch.route
        return finish(converted, &route, batch.upstream, ledger, batch.head)
    }

    /// Gives the buffers of a call back.
    func release(_ built: Built) {
        buffers.give(built.wire)
        if let converted = built.converted { buffers.give(converted) }
    }
}

extension Endpoint {
    /// Whose shape a request for embeddings has.
    fileprivate var embeddingClient: EmbeddingRequest.Client {
        switch self {
        case .gemini(.embed): .gemini
        case .gemini(.batchEmbed): .geminiBatch
        case .chatCompletions, .plainChat, .completions, .embeddings, .responses,
            .responsesCompact, .response, .messages, .countTokens, .gemini(.generate),
            .gemini(.stream), .gemini(.countTokens), .models, .model, .geminiModels, .geminiModel,
            .health:
            .openAI
        }
    }
}
