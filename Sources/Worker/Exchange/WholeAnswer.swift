// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Log
import Metrics
import Policy

/// What a whole answer of an upstream means for the client.
///
/// Pure.
struct WholeAnswer {
    enum Verdict {
        /// The bytes go to the client as they are.
        case pass(TokenUsage?)
        /// These bytes do.
        case written(ByteBuffer, TokenUsage?)
        /// The client asked for a stream, and these are its events.
        case events(ByteBuffer, TokenUsage?)
        case failed(AttemptFailure)
    }

    private let request: ModelRequest
    private let route: UpstreamRoute
    private let upstream: String
    /// Made when an answer is written anew; most go on as they are.
    private let identity: () -> AnswerIdentity
    /// What the client wants of embeddings.
    private let wish: EmbeddingWish?

    init(
        _ request: ModelRequest,
        _ route: UpstreamRoute,
        _ upstream: String,
        _ identity: @escaping @autoclosure () -> AnswerIdentity,
        embedding wish: EmbeddingWish? = nil
    ) {
        self.request = request
        self.route = route
        self.upstream = upstream
        self.identity = identity
        self.wish = wish
    }

    func judge(_ status: Int, _ body: ByteBuffer, _ work: StreamWork) -> Verdict {
        body.withBytes { bytes in
            work.scanner.reset()
            var isJSON = true
            do throws(JSONError) {
                isJSON = try work.scanner.scan(bytes, isFinal: true)
            } catch {
                isJSON = false
            }
            let tape = work.scanner.tape
            guard (200..<300).contains(status) else {
                return .failed(refused(status, body, isJSON ? tape : nil, bytes, work))
            }
            // The answers of several calls are one list.
            let kind: JSONKind = (wish?.calls ?? 1) > 1 ? .array : .object
            guard isJSON, tape.kind(of: tape.root) == kind else {
                return .failed(undecodable(bytes.isEmpty ? "an empty answer" : "no JSON", bytes))
            }
            if let complaint = complaint(tape, bytes) { return .failed(reported(complaint)) }
            return success(tape, bytes, work)
        }
    }

    // MARK: Success

    private func success(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ work: StreamWork
    ) -> Verdict {
        switch route.shape {
        case .conversation: break
        case .embedding(let format): return embeddings(format, tape, bytes)
        case .countTokens: return count(tape, bytes)
        }
        var root = tape.root
        if route.isOrchestration {
            guard case .result(let result) = OrchestrationAnswer(root, tape, bytes) else {
                return .failed(undecodable("no final_result", bytes))
            }
            root = result
        }
        if request.format == route.plan.format, !route.isOrchestration {
            let usage = Conversion.readUsage(route.plan.format, root, tape, bytes)
            guard let pin = route.pin else { return .pass(usage) }
            var splice = JSONSplice()
            ResponseID.tagResponse(root, pin: pin, tape, bytes, into: &splice)
            let out = ByteBuffer(capacity: bytes.count + 2 * ResponseID.tagBytes)
            splice.append(original: bytes, to: out)
            return .written(out, usage)
        }
        do throws(ConversionError) {
            let answer = try Conversion.readAnswer(route.plan.format, root, tape, bytes)
            let out = ByteBuffer(capacity: bytes.count + 256)
            guard request.isStream else {
                Conversion.writeAnswer(
                    answer,
                    request.format,
                    identity(),
                    from: bytes,
                    work.scratch,
                    to: out
                )
                return .written(out, answer.usage)
            }
            var writer = StreamWriter(
                request.format,
                identity(),
                wantsUsage: request.wantsUsage,
                framing: request.writesArray ? .array : .events
            )
            for event in answer.events {
                writer.write(event, from: bytes, work.scratch, to: out)
            }
            return .events(out, answer.usage)
        } catch {
            return .failed(undecodable("an answer that cannot be read: it \(error.message)", bytes))
        }
    }

    private func embeddings(
        _ format: EmbeddingFormat,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Verdict {
        guard let wish else { preconditionFailure("embeddings without anybody's wish") }
        if format.isOpenAI, wish.client == .openAI,
            let verdict = passedOn(format, wish, tape, bytes)
        {
            return verdict
        }
        do throws(ConversionError) {
            let answer = try EmbeddingAnswer.read(format, wish, tape, bytes)
            let out = ByteBuffer(capacity: bytes.count + 256)
            let usage = try answer.write(wish, model: identity().model, tape, bytes, to: out)
            return .written(out, usage)
        } catch {
            return .failed(undecodable("an answer that \(error.message)", bytes))
        }
    }

    /// An answer in the client's own format, in which only the form of the vectors may be wrong.
    ///
    /// What is no list of vectors goes on as well: the client asked this upstream in its own words.
    private func passedOn(
        _ format: EmbeddingFormat,
        _ wish: EmbeddingWish,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Verdict? {
        do throws(ConversionError) {
            let answer = try EmbeddingAnswer.read(format, wish, tape, bytes)
            return answer.meets(wish, tape) ? .pass(answer.usage) : nil
        } catch {
            return .pass(nil)
        }
    }

    private func count(_ tape: JSONTape, _ bytes: Span<UInt8>) -> Verdict {
        guard request.format != .messages else { return .pass(nil) }
        guard let node = tape.member("input_tokens", of: tape.root, in: bytes),
            let count = tape.integer(of: node, in: bytes)
        else { return .failed(undecodable("no count of tokens", bytes)) }
        let out = ByteBuffer(capacity: 64)
        TokenCounting.append(count, request.format, to: out)
        return .written(out, nil)
    }

    // MARK: Failures

    /// The error that an answer with a good status reports, if it does.
    private func complaint(_ tape: JSONTape, _ bytes: Span<UInt8>) -> UpstreamComplaint? {
        ComplaintReader.find(tape.root, tape, bytes)
    }

    private func reported(_ complaint: UpstreamComplaint) -> AttemptFailure {
        AttemptFailure(
            failure: Failure(.errorInStream, status: UInt16(clamping: complaint.status ?? 502)),
            error: ComplaintMapping.error(complaint, upstream: upstream),
            ending: .refused,
            result: .protocolError
        )
    }

    private func undecodable(_ what: String, _ bytes: Span<UInt8>) -> AttemptFailure {
        AttemptFailure(
            failure: Failure(bytes.isEmpty ? .emptyAnswer : .undecodable),
            error: .unreadableAnswer(upstream, what),
            ending: .refused,
            result: .protocolError
        )
    }

    private func refused(
        _ status: Int,
        _ body: ByteBuffer,
        _ tape: JSONTape?,
        _ bytes: Span<UInt8>,
        _ work: StreamWork
    ) -> AttemptFailure {
        let complaint =
            tape.map { ComplaintReader.read($0.root, status: status, $0, bytes) }
            ?? ComplaintReader.read(body: bytes, status: status, scanner: &work.scanner)
        let status = complaint.status ?? status
        let retryAfter = complaint.retryAfterMilliseconds.map { UInt32(clamping: $0) }
        let failure =
            Failure(status: UInt16(clamping: status), retryAfterMilliseconds: retryAfter)
            ?? Failure(.protocolError)
        var result = AttemptFailure(
            failure: failure,
            error: ComplaintMapping.error(complaint, upstream: upstream),
            ending: .complete,
            result: .init(status: status)
        )
        if isKept(status, tape, bytes) {
            let copy = ByteBuffer(capacity: body.count)
            copy.append(body)
            result.kept = copy
        }
        result.refusedMember = AttemptFailure.refusedMember(in: complaint.message)
        return result
    }

    /// Whether the client understands the upstream's own error, and may see it.
    private func isKept(_ status: Int, _ tape: JSONTape?, _ bytes: Span<UInt8>) -> Bool {
        guard let tape, !(401...403).contains(status), (400..<600).contains(status),
            tape.kind(of: tape.root) == .object,
            let error = tape.member("error", of: tape.root, in: bytes),
            tape.kind(of: error) == .object
        else { return false }
        switch route.plan.host {
        case .openAI, .compatible, .azure, .anthropic, .gemini, .demo:
            return request.format.errorShape == route.plan.format.errorShape
        case .bedrock, .sapAzure, .sapBedrock, .sapVertex, .sapOpenSource, .sapOrchestration:
            return false
        }
    }
}
