// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Dialects
import HTTP
import JSON

/// Checks the body of a model request, finds who may answer it, and starts the exchange.
final class RequestStarter {
    private let worker: Worker

    init(worker: Worker) {
        self.worker = worker
    }

    func start(_ connection: ClientConnection, _ endpoint: Endpoint) throws(APIError) {
        guard let body = connection.intake.bodyBuffer else { throw Self.emptyBody }
        let range = connection.intake.bodyRange
        guard !range.isEmpty else { throw Self.emptyBody }
        let scan = connection.intake.scan ?? worker.scan
        let request = try body.withBytes(in: range) { bytes throws(APIError) -> ModelRequest in
            if connection.intake.scan == nil { scan.reset() }
            scan.advance(bytes, isFinal: true)
            if let error = scan.error {
                throw RequestContract.malformed(error, tape: scan.tape, bytes)
            }
            return try self.request(connection, endpoint, scan.tape, bytes)
        }
        let exchange = Exchange(connection: connection, request: request)
        connection.exchange = exchange
        exchange.start(scan.tape)
    }

    private func request(
        _ connection: ClientConnection,
        _ endpoint: Endpoint,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(APIError) -> ModelRequest {
        let pathName = connection.ledger.pathName
        let namesModel = pathName == nil && endpoint != .plainChat
        let facts = try RequestContract.check(endpoint, tape, bytes, namesModel: namesModel)
        let name = try modelName(connection, facts, tape, bytes)
        connection.ledger.isStream = isStream(endpoint, facts)
        if let key = connection.ledger.key, !worker.keys.keys[key].allows(model: name.span) {
            throw .modelNotAllowed(Gateway.shown(name.span))
        }
        guard let route = worker.models.route(forModel: name.span) else {
            throw .modelNotFound(Gateway.shown(name.span))
        }
        let found = TargetChoices.find(route, name.span, in: worker.models)
        let isResponse = endpoint.format == .responses
        let pin = isResponse ? ResponseID.pin(ofRequest: tape.root, tape, bytes) : nil
        return ModelRequest(
            endpoint: endpoint,
            facts: facts,
            isStream: connection.ledger.isStream,
            writesArray: endpoint == .gemini(.stream) && !asksForEvents(connection),
            model: String(copying: name.span),
            balance: found.balance,
            choices: try choices(found.choices, holding: pin),
            pin: pin
        )
    }

    /// Those that may have made an earlier response, if there is one.
    private func choices(
        _ choices: [TargetChoice],
        holding pin: UInt32?
    ) throws(APIError) -> [TargetChoice] {
        guard let pin else { return choices }
        let holders = choices.filter { choice in
            let upstream = worker.upstreams[choice.upstream]
            return upstream.service.mayHold(pin, of: upstream)
        }
        guard !holders.isEmpty else { throw .previousNotFound }
        return holders
    }

    private func isStream(_ endpoint: Endpoint, _ facts: RequestFacts) -> Bool {
        switch endpoint {
        case .plainChat, .gemini(.stream): true
        case .gemini, .embeddings, .countTokens, .responsesCompact: false
        case .chatCompletions, .completions, .responses, .response, .messages, .models, .model,
            .geminiModels, .geminiModel, .health:
            facts.isStream
        }
    }

    /// The model as the client called it: in the path, in the body, or not at all.
    private func modelName(
        _ connection: ClientConnection,
        _ facts: RequestFacts,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(APIError) -> [UInt8] {
        if connection.ledger.pathName != nil { return try pathName(connection) }
        guard let node = facts.model else {
            guard let name = worker.config.defaultModel else { throw Self.noDefaultModel }
            return Array(name.utf8)
        }
        let start = connection.intake.bodyRange.lowerBound
        let content = tape.contentRange(of: node)
        connection.ledger.model = (start + content.lowerBound)..<(start + content.upperBound)
        guard tape.hasEscapes(node) else { return bytes.extracting(content).array }
        let text = ByteBuffer(capacity: content.count)
        tape.appendUnescaped(node, in: bytes, to: text)
        return text.withBytes { $0.array }
    }

    private func pathName(_ connection: ClientConnection) throws(APIError) -> [UInt8] {
        guard let range = connection.ledger.pathName, let head = connection.intake.input else {
            return []
        }
        let decoded = head.withBytes(in: range) { RequestPath.decoded($0) }
        guard let decoded, String(validating: decoded, as: UTF8.self) != nil else {
            throw .brokenPathName
        }
        return decoded
    }

    /// Whether a Gemini client wants server-sent events.
    private func asksForEvents(_ connection: ClientConnection) -> Bool {
        guard let query = connection.ledger.query, let head = connection.intake.input else {
            return false
        }
        return head.withBytes(in: query) { RequestPath.hasParameter("alt=sse", in: $0) }
    }

    // MARK: Stored responses

    /// Fetches or deletes a stored response where it was made.
    func startStored(_ connection: ClientConnection) throws(APIError) {
        let name = try pathName(connection)
        let id = String(copying: name.span)
        guard let (original, pin) = ResponseID.untag(id) else { throw .responseNotFound(id) }
        var query = ""
        if let range = connection.ledger.query, let head = connection.intake.input {
            query = head.withBytes(in: range) { String(copying: $0) }
        }
        let holders = worker.upstreams.filter { $0.service.mayHold(pin, of: $0) }
        guard !holders.isEmpty else { throw .responseNotFound(id) }
        let choices = holders.map { upstream in
            TargetChoice(
                upstream: upstream.position,
                model: "",
                api: .responses,
                weight: 1,
                tier: 0,
                isStrict: false,
                maxTokens: nil
            )
        }
        let request = ModelRequest(
            stored: StoredResponse(
                id: original,
                query: query,
                isDelete: connection.ledger.method == .delete
            ),
            choices: choices,
            pin: pin
        )
        let exchange = Exchange(connection: connection, request: request)
        connection.exchange = exchange
        exchange.start(worker.scan.tape)
    }

    private static let emptyBody = APIError(
        400,
        .invalidRequest,
        "empty_body",
        "The request body is empty; a JSON object was expected."
    )

    private static let noDefaultModel = APIError(
        400,
        .invalidRequest,
        "missing_required_parameter",
        "The member 'model' is missing, and this gateway has no default_model.",
        param: "model"
    )
}

extension Span<UInt8> {
    /// The bytes in an array of their own.
    fileprivate var array: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        for index in 0..<count { result.append(self[index]) }
        return result
    }
}
