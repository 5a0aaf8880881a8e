// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import Providers
import System

/// How an upstream is reached, and the parts of its requests that never change.
///
/// A class: as a value it would be copied member by member for every request.
final class UpstreamServer {
    /// Its index on the lane.
    let lane: Int
    /// Path of the base URL, without a slash at its end.
    let pathPrefix: String
    /// Value of the Host field.
    let host: String
    let settings: UpstreamSettings
    /// Fields of the configuration, a key among them.
    let configuredFields: [(name: String, value: String)]
    private let fields: ByteBuffer

    /// - Parameters:
    ///   - lane: Its index on the lane.
    ///   - settings: Where it is and how it is trusted.
    ///   - fields: Fields of the configuration, a key among them.
    init(lane: Int, settings: UpstreamSettings, fields: [(name: String, value: String)]) {
        self.lane = lane
        configuredFields = fields
        self.settings = settings
        pathPrefix = settings.pathPrefix
        host = settings.hostField
        let out = ByteBuffer()
        func append(_ name: String, _ value: String) {
            out.append(name)
            out.append(": ")
            out.append(value)
            out.append("\r\n")
        }
        append("host", settings.hostField)
        append("user-agent", "apus/\(Version.text)")
        for field in fields { append(field.name, field.value) }
        self.fields = out
    }

    /// Appends the head of one request with a body of `bodyBytes`.
    func appendHead(
        _ route: UpstreamRoute,
        method: StaticString = "POST ",
        bodyBytes: Int,
        ledger: borrowing RequestLedger,
        client head: ByteBuffer?,
        to out: ByteBuffer
    ) {
        out.append(method)
        out.append(pathPrefix)
        switch route.path {
        case .fixed(let path): out.append(path)
        case .made(let path): out.append(path)
        }
        out.append(" HTTP/1.1\r\n")
        out.append(fields)
        out.append(route.accept)
        out.append("content-type: application/json\r\n")
        for field in route.fields {
            out.append(field.name)
            out.append(": ")
            out.append(field.value)
            out.append("\r\n")
        }
        out.append("content-length: ")
        out.append(decimal: bodyBytes)
        out.append("\r\n")
        Self.appendTrace(ledger, client: head, to: out)
        // Calls that differ must not be taken for one.
        if !route.isPart { Self.pass("idempotency-key: ", ledger.idempotencyKey, head, to: out) }
        switch route.plan.host {
        case .anthropic:
            Self.pass("anthropic-beta: ", ledger.anthropicBeta, head, to: out)
            if ledger.anthropicVersion != nil {
                Self.pass("anthropic-version: ", ledger.anthropicVersion, head, to: out)
            } else if let version = route.version {
                out.append("anthropic-version: ")
                out.append(version)
                out.append("\r\n")
            }
        case .openAI, .compatible, .azure:
            Self.pass("openai-beta: ", ledger.openaiBeta, head, to: out)
        case .gemini, .bedrock, .sapAzure, .sapBedrock, .sapVertex, .sapOpenSource,
            .sapOrchestration, .demo:
            break
        }
        out.append("\r\n")
    }

    /// Appends the fields by which a request can be found again upstream.
    static func appendTrace(
        _ ledger: borrowing RequestLedger,
        client head: ByteBuffer?,
        to out: ByteBuffer
    ) {
        out.append("x-request-id: ")
        ledger.id.append(to: out, head: head)
        out.append("\r\n")
        pass("x-correlation-id: ", ledger.correlationID, head, to: out)
        pass("traceparent: ", ledger.traceparent, head, to: out)
        pass("tracestate: ", ledger.tracestate, head, to: out)
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
