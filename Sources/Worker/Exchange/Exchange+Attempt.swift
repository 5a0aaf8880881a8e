// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import JSON
import Loop
import Policy
import System

/// How an attempt begins.
extension Exchange {
    /// Asks the target where the request goes, and sends it there.
    func beginAttempt(_ tape: JSONTape?) {
        let target = request.choices[choice]
        upstream = worker.upstreams[target.upstream]
        connection.ledger.upstream = target.upstream
        let question = RouteQuestion(
            operation: request.operation,
            client: request.format,
            model: target.model,
            isStream: request.isStream,
            api: target.api,
            maxTokensDefault: target.maxTokens,
            pin: request.pin
        )
        switch upstream.service.route(question, of: upstream) {
        case .route(let route):
            send(route, tape)
        case .estimate:
            answerEstimate(tape)
        case .waiting:
            waitForUpstream()
        case .unsupported(let text):
            failed(Failure(.unsupported), .cannot(upstream.name, text))
        case .unknownModel:
            failed(Failure(.modelNotFound, status: 404), .modelNotFound(request.model))
        case .failed(let text, let retryAfter):
            failed(
                Failure(.preparing, retryAfterMilliseconds: retryAfter),
                .unavailable(upstream.name, text)
            )
        }
    }

    /// Builds the request for `found` and sends it.
    private func send(_ found: UpstreamRoute, _ tape: JSONTape?) {
        var route = found
        route.plan.refused = refusedMembers
        if let betas = connection.ledger.anthropicBeta, let head = connection.intake.input {
            route.plan.betas = head.withBytes(in: betas) { Betas.split($0) }
        }
        var omissions = Omissions()
        do throws(APIError) {
            let built = try build(&route, tape, &omissions)
            if request.choices[choice].isStrict, let name = omissions.names.first {
                worker.builder.release(built)
                throw .strict(name, omissions)
            }
            sent = built
        } catch {
            failed(Failure(.unsupported), error)
            return
        }
        connection.ledger.omissions = omissions.isEmpty ? nil : omissions
        launch(route)
    }

    private func build(
        _ route: inout UpstreamRoute,
        _ tape: JSONTape?,
        _ omissions: inout Omissions
    ) throws(APIError) -> RequestBuilder.Built {
        if let stored = request.stored {
            return worker.builder.build(
                stored,
                route,
                upstream,
                ledger: connection.ledger,
                client: connection.intake.input
            )
        }
        guard let body = connection.intake.bodyBuffer else {
            preconditionFailure("a model request without a body was let in")
        }
        let range = connection.intake.bodyRange
        let document = tape ?? scanAgain(body, range)
        return try worker.builder.build(
            request,
            &route,
            upstream,
            RequestBuilder.Source(
                tape: document,
                body: body,
                range: range,
                head: connection.intake.input
            ),
            ledger: connection.ledger,
            &omissions
        )
    }

    /// The tape of a body that was scanned before: others have used the scanner since.
    private func scanAgain(_ body: ByteBuffer, _ range: Range<Int>) -> JSONTape {
        if let scan = connection.intake.scan { return scan.tape }
        worker.scan.reset()
        body.withBytes(in: range) { worker.scan.advance($0, isFinal: true) }
        return worker.scan.tape
    }

    private func launch(_ route: UpstreamRoute) {
        guard let sent else { return }
        phase = .attempting
        connection.ledger.attempts += 1
        connection.ledger.upstreamStartedAt = Syscalls.monotonicNanoseconds()
        upstream.calls += 1
        var timeouts = worker.timeouts.upstream
        if machine.deadline != .max { timeouts.total = machine.deadline &- worker.loop.now }
        let outgoing = UpstreamRequest(
            method: request.stored?.method ?? .post,
            head: sent.wire,
            body: sent.body,
            timeouts: timeouts
        )
        let answer = AttemptAnswer(self, route, upstream)
        answer.embedding = sent.embedding
        self.answer = answer
        if let batch = sent.batch {
            // Each of its calls has timeouts of its own.
            attempt = .batch(EmbeddingFanOut(batch, outgoing, machine.deadline, answer, connection))
            return
        }
        attempt = upstream.begin(outgoing, answer, worker)
        guard worker.timeouts.firstContent != .max else { return }
        let due = worker.loop.now &+ worker.timeouts.firstContent
        contentDeadline.set(due, on: worker.loop, self, kind: Self.contentKind)
    }

    private func waitForUpstream() {
        phase = .between
        guard case .sap(let account) = upstream.service else { return }
        account.whenReady { [weak self] in self?.upstreamIsReady() }
        let due = worker.loop.now.addingClamped(SAPAccount.patienceNanoseconds)
        preparingDeadline.set(due, on: worker.loop, self, kind: Self.preparingKind)
    }

    private func upstreamIsReady() {
        guard phase == .between, machine.isAttempting else { return }
        connection.journal.isAtWork()
        preparingDeadline.clear()
        beginAttempt(nil)
    }

    /// Counts the tokens by ourselves.
    private func answerEstimate(_ tape: JSONTape?) {
        guard let body = connection.intake.bodyBuffer else { return }
        let range = connection.intake.bodyRange
        let document = tape ?? scanAgain(body, range)
        let out = ByteBuffer(capacity: 64)
        do throws(APIError) {
            try body.withBytes(in: range) { bytes throws(APIError) in
                try TokenCounting.answer(request.format, document, bytes, to: out)
            }
        } catch {
            failed(Failure(.unsupported), error)
            return
        }
        perform(machine.completed(now: worker.loop.now))
        end()
        deliver(200, out, fields: nil)
    }
}
