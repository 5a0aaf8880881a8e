// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Metrics
import System

/// One configured upstream as the exchange sees it.
final class Upstream {
    enum Kind {
        /// An OpenAI-compatible server.
        case openai(OpenAIUpstream)
        /// The model inside of this worker.
        case demo
    }

    let name: String
    /// Place in the configuration.
    let position: Int
    /// The same as a metric label.
    let index: UpstreamIndex
    let kind: Kind

    init(name: String, position: Int, kind: Kind) {
        self.name = name
        self.position = position
        index = UpstreamIndex(position: position) ?? .none
        self.kind = kind
    }

    var isDemo: Bool {
        switch kind {
        case .openai: false
        case .demo: true
        }
    }

    func begin(
        _ request: UpstreamRequest,
        _ sink: UpstreamSink,
        _ worker: Worker
    ) -> Attempt {
        switch kind {
        case .openai(let server): .lane(worker.lane.begin(upstream: server.lane, request, sink))
        case .demo: .demo(DemoCall(request, sink, worker.loop))
        }
    }
}

extension Upstream {
    /// Appends the head of a request with a body of `bodyBytes`.
    func appendHead(
        _ endpoint: Endpoint,
        bodyBytes: Int,
        ledger: borrowing RequestLedger,
        client head: ByteBuffer?,
        to out: ByteBuffer
    ) {
        switch kind {
        case .openai(let server):
            server.heads.append(
                endpoint,
                bodyBytes: bodyBytes,
                ledger: ledger,
                client: head,
                to: out
            )
        case .demo:
            // The demo model only asks which of its three talents is wanted.
            out.append(endpoint.upstreamPath ?? "")
        }
    }
}

/// What is needed to talk to an OpenAI-compatible server.
///
/// A class: as a value it would be copied member by member for every request.
final class OpenAIUpstream {
    let heads: UpstreamHeads
    /// Its index on the lane.
    let lane: Int
    /// Asks for its models.
    let listing: ControlRequest

    init(heads: UpstreamHeads, lane: Int, listing: ControlRequest) {
        self.heads = heads
        self.lane = lane
        self.listing = listing
    }
}

/// One try to get an answer, wherever it runs.
enum Attempt {
    case lane(UpstreamCall)
    case demo(DemoCall)

    func pause() {
        switch self {
        case .lane(let call): call.pause()
        case .demo(let call): call.pause()
        }
    }

    func resume() {
        switch self {
        case .lane(let call): call.resume()
        case .demo(let call): call.resume()
        }
    }

    func cancel() {
        switch self {
        case .lane(let call): call.cancel()
        case .demo(let call): call.cancel()
        }
    }
}

/// Writes the heads of requests to one upstream; what never changes is written once.
struct UpstreamHeads {
    private let chat: ByteBuffer
    private let completions: ByteBuffer
    private let embeddings: ByteBuffer

    /// - Parameters:
    ///   - pathPrefix: Path of the base URL, without a slash at its end.
    ///   - host: Value of the Host field.
    ///   - fields: Fields of the configuration, Authorization among them.
    init(pathPrefix: String, host: String, fields: [(name: String, value: String)]) {
        func head(_ endpoint: Endpoint) -> ByteBuffer {
            let out = ByteBuffer()
            let path = pathPrefix + (endpoint.upstreamPath?.description ?? "")
            guard let writer = RequestHeadWriter.begin(out, method: .post, target: path) else {
                preconditionFailure("the configuration lets only valid base URLs through")
            }
            writer.field("host", host)
            writer.field("user-agent", "apus/\(Version.text)")
            writer.field("accept", "application/json, text/event-stream")
            writer.field("content-type", "application/json")
            for field in fields {
                writer.field(name: field.name.utf8.span, value: field.value.utf8.span)
            }
            return out
        }
        chat = head(.chatCompletions)
        completions = head(.completions)
        embeddings = head(.embeddings)
    }

    /// Appends the head of one request with a body of `bodyBytes`.
    func append(
        _ endpoint: Endpoint,
        bodyBytes: Int,
        ledger: borrowing RequestLedger,
        client head: ByteBuffer?,
        to out: ByteBuffer
    ) {
        switch endpoint {
        case .completions: out.append(completions)
        case .embeddings: out.append(embeddings)
        case .chatCompletions, .models, .model, .health: out.append(chat)
        }
        out.append("content-length: ")
        out.append(decimal: bodyBytes)
        out.append("\r\nx-request-id: ")
        ledger.id.append(to: out, head: head)
        out.append("\r\n")
        Self.pass("x-correlation-id: ", ledger.correlationID, head, to: out)
        Self.pass("traceparent: ", ledger.traceparent, head, to: out)
        Self.pass("tracestate: ", ledger.tracestate, head, to: out)
        Self.pass("idempotency-key: ", ledger.idempotencyKey, head, to: out)
        Self.pass("openai-beta: ", ledger.openaiBeta, head, to: out)
        out.append("\r\n")
    }

    /// Appends a field of the client's; its value came through the parser, which lets no control
    /// byte through.
    private static func pass(
        _ name: StaticString,
        _ value: Range<Int>?,
        _ head: ByteBuffer?,
        to out: ByteBuffer
    ) {
        guard let value, let head else { return }
        out.append(name)
        head.withBytes(in: value) { out.append($0) }
        out.append("\r\n")
    }
}
