// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import Log
import Loop
import Metrics
import System

/// How a request is answered.
extension ClientConnection {
    /// Bytes that wait for the client.
    var outputBytes: Int { answer.count }

    /// Whether a part of an answer is out whose end only the end of the connection tells.
    var wouldLookWhole: Bool { state == .responding && isStreaming && !answer.isChunked }

    /// Whether nothing of an answer was made.
    var awaitsAnswer: Bool { state == .responding && ledger.status == 0 }

    /// Starts the head of the answer; the caller adds fields and calls one of the methods below.
    func beginAnswer(status: Int) -> HeadWriter {
        precondition(state == .responding || state == .reading, "an answer in state \(state)")
        state = .responding
        ledger.status = status
        ledger.firstByteAt = ledger.firstByteAt ?? Syscalls.monotonicNanoseconds()
        closesAfterAnswer = closesAfterAnswer || !ledger.keepsAlive || worker.closes(behind: self)
        journal.answerBegan(queued: answer.count)
        let writer = answer.begin(
            status: status,
            ledger: ledger,
            head: intake.input,
            date: worker.currentDate(),
            pool: worker.buffers
        )
        worker.cors.appendFields(for: ledger.origin, in: intake.input, to: writer)
        return writer
    }

    /// Ends the head of an answer whose body is known, and the answer with it.
    func finishAnswer(_ writer: HeadWriter, body: Span<UInt8>) {
        if !HTTPStatus.hasNoBody(ledger.status) { writer.contentLength(body.count) }
        endHead(writer)
        if !ledger.isHead, !body.isEmpty {
            journal.bodyBegan()
            answer.buffer(worker.buffers).append(body)
        }
        finishAnswer()
    }

    /// Ends the head of an answer whose body follows piece by piece.
    ///
    /// `isArray` says that the pieces are those of one JSON array.
    func beginStream(_ writer: HeadWriter, isArray: Bool = false) {
        if ledger.isHTTP10 {
            // HTTP/1.0 knows no chunks: the end of the connection ends the body.
            closesAfterAnswer = true
        } else {
            writer.chunked()
            answer.beginChunks()
        }
        endHead(writer)
        isStreaming = true
        journal.streamBegan(isChunked: answer.isChunked, isArray: isArray)
        worker.streamBegan(self)
    }

    private func endHead(_ writer: HeadWriter) {
        if closesAfterAnswer {
            writer.connectionClose()
        } else if ledger.isHTTP10 {
            writer.field("connection", "keep-alive")
        }
        writer.end()
    }

    /// Adds whole events, or elements of the array.
    func stream(_ bytes: Span<UInt8>) {
        guard !bytes.isEmpty else { return }
        journal.bodyBegan()
        answer.stream(bytes, worker.buffers)
    }

    /// Adds what only keeps the stream alive and is no part of what it says.
    func streamFiller(_ bytes: Span<UInt8>) {
        answer.stream(bytes, worker.buffers)
    }

    /// Ends a stream.
    func endStream() {
        answer.endStream(worker.buffers)
        finishAnswer()
    }

    /// Where the lines of the head that is being written go.
    var headBuffer: ByteBuffer { answer.buffer(worker.buffers) }

    /// Adds whole field lines to the head that is being written.
    func append(_ fieldLines: ByteBuffer) {
        answer.buffer(worker.buffers).append(fieldLines)
    }

    /// Answers with an error in the client's dialect; `addFields` may add lines to the head.
    func answerError(_ error: APIError, _ addFields: () -> Void = {}) {
        ledger.error = error.code
        if ledger.ending == .complete { ledger.ending = .refused }
        if error.closesConnection { closesAfterAnswer = true }
        let shape = ledger.endpoint?.format.errorShape ?? .openAI
        let writer = beginAnswer(status: error.status(as: shape))
        error.appendFields(to: writer)
        addFields()
        let body = ByteBuffer(capacity: 512)
        error.append(as: shape, of: ledger, head: intake.input, to: body)
        body.withBytes { finishAnswer(writer, body: $0) }
    }

    /// Answers a request that is not read to its end, and closes.
    func refuse(_ error: APIError) {
        if error.closesConnection { lingersAfterAnswer = true }
        answerError(error)
    }

    private func finishAnswer() {
        isAnswerComplete = true
        journal.answerCompleted(queued: answer.count)
        flush()
    }

    /// Writes what waits for the client, as far as it takes it: whole pieces of the answer, unless
    /// it took only a part of them before.
    func flush() {
        guard state == .responding else { return }
        if let output = answer.output, !output.isEmpty {
            var hasMoved = false
            switch send(output) {
            case .bytes(let count):
                hasMoved = true
                movedAt = worker.loop.now
                ledger.bytesOut += count
                worker.metrics.count(.clientBytesOut, by: count)
            case .wouldBlock:
                break
            case .failed:
                clientLeft(.clientClosed)
                return
            }
            guard output.isEmpty else {
                setInterest(interest.union(.write))
                // What the upstream adds is no sign of life of the client.
                if hasMoved || !deadline.isSet { setDeadline(worker.timeouts.idle) }
                return
            }
        }
        answer.releaseIfEmpty(worker.buffers)
        if interest.contains(.write) {
            setInterest(interest.contains(.read) ? .read : .peerEnd)
        }
        deadline.clear()
        if isAnswerComplete {
            answered()
        } else {
            exchange?.clientDrained()
        }
    }

    /// The answer is out.
    private func answered() {
        worker.requestEnded(self)
        exchange = nil
        isAnswerComplete = false
        isStreaming = false
        // Without interest in reading, a pipelined request waits in the kernel.
        let hasUnread = intake.isInBody || !interest.contains(.read)
        let mustLinger = lingersAfterAnswer || (closesAfterAnswer && hasUnread)
        intake.finishRequest(worker.buffers)
        journal.answerEnded(
            holdsNext: intake.holdsBytes,
            isClosing: mustLinger || closesAfterAnswer
        )
        if mustLinger {
            linger()
        } else if closesAfterAnswer {
            close()
        } else {
            state = .idle
            setInterest(.read)
            setDeadline(worker.timeouts.clientIdle)
            if intake.holdsBytes {
                if !isProcessing { process() }
            } else if worker.isDraining {
                // Later: a client that is fast would have us answer from within its last answer.
                worker.loop.atEndOfTurn(self)
            }
        }
    }
}
