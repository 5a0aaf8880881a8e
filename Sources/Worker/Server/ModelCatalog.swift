// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import Config
import HTTP
import JSON

/// Answers `/v1/models` from what is configured and what the upstreams list.
///
/// Listings are fetched when they are asked for, one at a time per upstream, and kept for a while.
/// An upstream that does not answer costs its models, not the answer.
final class ModelCatalog {
    /// Models shown of one upstream: the largest providers list a few hundred.
    static let listedMax = 4096
    /// A constant, since the gateway does not know when a model was made.
    private static let created = 1_700_000_000

    private struct Listing {
        var ids: [String] = []
        var owners: [String] = []
    }

    private let worker: Worker
    private lazy var listings = UpstreamListings(worker: worker)

    init(worker: Worker) {
        self.worker = worker
    }

    // MARK: Answers

    /// `isGemini` says whether the client speaks Google's format.
    func answerList(_ connection: ClientConnection, isGemini: Bool = false) {
        // A client that leaves meanwhile takes its connection along.
        listings.whenFresh { [weak connection] in
            guard let connection, connection.awaitsAnswer else { return }
            let body = ByteBuffer(capacity: 4096)
            var writer = JSONWriter(body)
            writer.beginObject()
            if isGemini {
                writer.name("models")
            } else {
                writer.member("object", "list")
                writer.name("data")
            }
            writer.beginArray()
            for entry in self.entries(for: connection.ledger.key) {
                Self.append(entry, isGemini: isGemini, to: &writer)
            }
            writer.endArray()
            writer.endObject()
            Self.answer(connection, body)
        }
    }

    /// Answers for the model that the path names.
    func answerOne(_ connection: ClientConnection, isGemini: Bool = false) {
        let raw = connection.ledger.pathName.flatMap { range in
            connection.intake.input?.withBytes(in: range) { RequestPath.decoded($0) }
        }
        guard let bytes = raw ?? nil, let id = String(validating: bytes, as: UTF8.self) else {
            connection.answerError(.brokenPathName)
            return
        }
        // A client that leaves meanwhile takes its connection along.
        listings.whenFresh { [weak connection] in
            guard let connection, connection.awaitsAnswer else { return }
            guard let entry = self.entry(id, for: connection.ledger.key) else {
                connection.answerError(.modelNotFound(id))
                return
            }
            let body = ByteBuffer(capacity: 256)
            var writer = JSONWriter(body)
            Self.append(entry, isGemini: isGemini, to: &writer)
            Self.answer(connection, body)
        }
    }

    private static func answer(_ connection: ClientConnection, _ body: ByteBuffer) {
        let writer = connection.beginAnswer(status: 200)
        writer.field("content-type", "application/json")
        body.withBytes { connection.finishAnswer(writer, body: $0) }
    }

    // MARK: Entries

    private struct Entry {
        let id: String
        let owner: String
    }

    /// Every model a client may use, without duplicates, in the order of the configuration.
    private func entries(for key: Int?) -> [Entry] {
        var seen: Set<String> = []
        var result: [Entry] = []
        func add(_ id: String, _ owner: String) {
            guard isAllowed(id, for: key), seen.insert(id).inserted else { return }
            result.append(Entry(id: id, owner: owner))
        }
        for entry in worker.models.entries where entry.pattern.isExact {
            add(entry.pattern.text, worker.upstreams[entry.targets[0].upstream].name)
        }
        for upstream in worker.upstreams {
            for model in listings.models(of: upstream) {
                let id = "\(upstream.name)/\(model)"
                // A pattern may serve the bare name as well; show what a client would type.
                if case .entry(let index)? = worker.models.route(forModel: model),
                    worker.models.entries[index].targets.contains(where: {
                        $0.upstream == upstream.position && ($0.model ?? model) == model
                    })
                {
                    add(model, upstream.name)
                }
                add(id, upstream.name)
            }
        }
        return result
    }

    /// The entry of one model: one that is listed, or one that a request would be let through with.
    private func entry(_ id: String, for key: Int?) -> Entry? {
        let bytes = Array(id.utf8)
        guard isAllowed(id, for: key), let route = worker.models.route(forModel: bytes.span)
        else { return nil }
        let choices = TargetChoices.find(route, bytes.span, in: worker.models).choices
        if case .entry(let index) = route, worker.models.entries[index].pattern.isExact {
            return Entry(id: id, owner: worker.upstreams[choices[0].upstream].name)
        }
        for choice in choices {
            let upstream = worker.upstreams[choice.upstream]
            let listed = listings.models(of: upstream)
            // Without a listing nobody knows better than the configuration.
            if listed.isEmpty || listed.contains(choice.model) {
                return Entry(id: id, owner: upstream.name)
            }
        }
        return nil
    }

    private func isAllowed(_ id: String, for key: Int?) -> Bool {
        guard let key else { return true }
        let bytes = Array(id.utf8)
        return worker.keys.keys[key].allows(model: bytes.span)
    }

    private static func append(
        _ entry: Entry,
        isGemini: Bool,
        to writer: inout JSONWriter
    ) {
        if isGemini {
            writer.beginObject()
            writer.member("name", "models/\(entry.id)")
            writer.member("displayName", entry.id)
            writer.name("supportedGenerationMethods")
            writer.raw(#"["generateContent","streamGenerateContent","countTokens"]"#)
            writer.endObject()
            return
        }
        writer.beginObject()
        writer.member("id", entry.id)
        writer.member("object", "model")
        writer.member("created", created)
        writer.member("owned_by", entry.owner)
        writer.endObject()
    }
}
