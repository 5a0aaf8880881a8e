// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import Loop

/// Several upstream calls that together answer one request for embeddings.
///
/// To the exchange it is one call: its sink gets the head of the first call and a JSON array of all
/// bodies in order, or the head and the body of the first call that was refused, or the failure of
/// the first that failed. The first that goes wrong ends all others.
final class EmbeddingFanOut {
    /// More at once would be one client's list pushing everybody else aside at a quota by minute.
    static let callsAtOnce = 4

    private let batch: EmbeddingBatch
    private let connection: ClientConnection
    /// Loop time when the whole request must be over.
    private let deadline: UInt64
    /// Nil once all is over.
    private var sink: UpstreamSink?
    private var running: [FanOutCall] = []
    /// Bodies by the number of their call, until all are there.
    private var bodies: [ByteBuffer?]
    /// The head of the first call.
    private var head: (head: ResponseHead, bytes: ByteBuffer)?
    private var next = 0
    private var done = 0
    private var receivedBytes = 0

    /// Begins the first calls; `first` belongs to the caller, who keeps its buffers until the end.
    init(
        _ batch: EmbeddingBatch,
        _ first: UpstreamRequest,
        _ deadline: UInt64,
        _ sink: UpstreamSink,
        _ connection: ClientConnection
    ) {
        self.batch = batch
        self.deadline = deadline
        self.sink = sink
        self.connection = connection
        bodies = Array(repeating: nil, count: batch.writer.calls)
        begin(first, nil)
        beginMore()
    }

    /// Ends all calls; the sink hears nothing any more.
    func cancel() {
        sink = nil
        endCalls()
    }

    // MARK: Calls

    private func beginMore() {
        while next < bodies.count, running.count < Self.callsAtOnce {
            let built = connection.worker.builder.build(call: next, of: batch, connection.ledger)
            let request = UpstreamRequest(
                method: .post,
                head: built.wire,
                body: built.body,
                timeouts: timeouts
            )
            begin(request, built)
        }
    }

    private func begin(_ request: UpstreamRequest, _ built: RequestBuilder.Built?) {
        let worker = connection.worker
        let call = FanOutCall(next, built, self, worker.buffers.take())
        next += 1
        running.append(call)
        call.attempt = batch.upstream.begin(request, call, worker)
    }

    private var timeouts: UpstreamTimeouts {
        let worker = connection.worker
        var timeouts = worker.timeouts.upstream
        if deadline != .max {
            timeouts.total = deadline > worker.loop.now ? deadline - worker.loop.now : 0
        }
        return timeouts
    }

    /// Takes a call out of those that run, and gives its request back.
    private func remove(_ call: FanOutCall) {
        running.removeAll { $0 === call }
        if let built = call.built { connection.worker.builder.release(built) }
        call.built = nil
        call.fanOut = nil
    }

    private func endCalls() {
        for call in running {
            call.attempt?.cancel()
            connection.worker.buffers.give(call.body)
            remove(call)
        }
        for body in bodies { if let body { connection.worker.buffers.give(body) } }
        bodies = []
    }

    // MARK: What calls bring

    fileprivate func received(_ bytes: Int, by call: FanOutCall) {
        receivedBytes += bytes
        guard receivedBytes > AttemptAnswer.answerBytesMax, let sink else { return }
        // The sink has the same limit, and says what is to be said.
        let parts = bodies.compactMap { $0 } + running.map(\.body)
        begin(of: call, sink)
        for part in parts where self.sink != nil { part.withBytes { sink.upstreamData($0) } }
    }

    fileprivate func ended(_ call: FanOutCall, _ result: UpstreamResult) {
        guard let sink else { return }
        switch result {
        case .failed(let failure):
            connection.worker.buffers.give(call.body)
            remove(call)
            cancel()
            sink.upstreamEnded(.failed(failure))
        case .complete:
            guard (200..<300).contains(call.status) else {
                begin(of: call, sink)
                call.body.withBytes { sink.upstreamData($0) }
                connection.worker.buffers.give(call.body)
                remove(call)
                cancel()
                sink.upstreamEnded(.complete)
                return
            }
            if call.index == 0, let first = call.head { head = (first, call.headBytes) }
            bodies[call.index] = call.body
            remove(call)
            done += 1
            if done == bodies.count { deliver(to: sink) } else { beginMore() }
        }
    }

    private func begin(of call: FanOutCall, _ sink: UpstreamSink) {
        guard let head = call.head else { return }
        call.headBytes.withBytes { sink.upstreamHead(head, in: $0) }
    }

    /// Hands all bodies over as one array.
    private func deliver(to sink: UpstreamSink) {
        guard let head else { return }
        head.bytes.withBytes { sink.upstreamHead(head.head, in: $0) }
        for (index, body) in bodies.enumerated() where self.sink != nil {
            sink.upstreamData((index == 0 ? "[" : ",").utf8.span)
            if let body, self.sink != nil { body.withBytes { sink.upstreamData($0) } }
        }
        guard self.sink != nil else { return }
        sink.upstreamData("]".utf8.span)
        cancel()
        sink.upstreamEnded(.complete)
    }
}

/// One of its calls.
private final class FanOutCall: UpstreamSink {
    /// Its place among all.
    let index: Int
    /// Its request; nil for the first, which belongs to the exchange.
    var built: RequestBuilder.Built?
    /// Nil once it is over.
    var fanOut: EmbeddingFanOut?
    var attempt: Attempt?
    let body: ByteBuffer
    private(set) var head: ResponseHead?
    let headBytes = ByteBuffer()

    init(
        _ index: Int,
        _ built: RequestBuilder.Built?,
        _ fanOut: EmbeddingFanOut,
        _ body: ByteBuffer
    ) {
        self.index = index
        self.built = built
        self.fanOut = fanOut
        self.body = body
        super.init()
    }

    var status: Int { head?.status ?? 0 }

    override func upstreamHead(_ head: ResponseHead, in bytes: Span<UInt8>) {
        self.head = head
        headBytes.append(bytes)
    }

    override func upstreamData(_ bytes: Span<UInt8>) {
        body.append(bytes)
        fanOut?.received(bytes.count, by: self)
    }

    override func upstreamEnded(_ result: UpstreamResult) {
        fanOut?.ended(self, result)
    }
}
