// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// How the mock answers.
struct MockSettings {
    let address: SocketAddress
    let streams: Bool
    let delayNanoseconds: UInt64
    /// Content events per stream; finish, usage and `[DONE]` follow them.
    let chunks: Int
    let intervalNanoseconds: UInt64
    let answer: [UInt8]
    let firstEvents: [UInt8]
    let event: [UInt8]
    let lastEvents: [UInt8]

    init(_ options: inout Options) throws(UsageError) {
        guard let address = SocketAddress(options.text("listen") ?? "") else {
            throw UsageError("--listen is IP:PORT")
        }
        self.address = address
        streams = try options.flag("stream")
        let delay = try options.number("delay-ms", in: 0...60_000) ?? 0
        delayNanoseconds = UInt64(delay) * 1_000_000
        chunks = try options.number("chunks", in: 1...100_000) ?? 100
        let interval = try options.number("interval-us", in: 0...10_000_000) ?? 0
        intervalNanoseconds = UInt64(interval) * 1_000
        let bodyBytes = try options.number("body-bytes", in: 1...1_000_000) ?? 1_024
        let chunkBytes = try options.number("chunk-bytes", in: 1...10_000) ?? 230
        if try options.flag("claude") {
            answer = MockAnswers.message(bodyBytes: bodyBytes)
            firstEvents = MockAnswers.firstMessageEvents
            (event, lastEvents) = MockAnswers.messageEvents(count: chunks, chunkBytes: chunkBytes)
        } else {
            answer = MockAnswers.completion(bodyBytes: bodyBytes)
            firstEvents = []
            (event, lastEvents) = MockAnswers.events(count: chunks, chunkBytes: chunkBytes)
        }
        try options.finish()
    }
}

/// Accepts, and leaves each connection to itself.
final class MockServer: EventHandler {
    private let settings: MockSettings
    private let loop: EventLoop
    private let listener: OwnedFD

    init(_ settings: MockSettings) throws {
        self.settings = settings
        loop = try EventLoop()
        listener = try Syscalls.streamSocket(for: settings.address)
        Syscalls.setReuseAddress(listener.raw)
        try Syscalls.bind(listener.raw, settings.address)
        try Syscalls.listen(listener.raw, backlog: 4_096)
    }

    func run() throws {
        _ = try loop.register(listener.raw, .read, self)
        BenchToolMain.write("listening\n", to: 1)
        try loop.run()
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        // Bounded: connections that are up already get their turn.
        for _ in 0..<64 {
            do {
                let fd = try Syscalls.accept(listener.raw)
                Syscalls.setNoDelay(fd.raw)
                try MockConnection(fd, settings, loop).start()
            } catch let error as Errno where error == .tryAgain {
                return
            } catch {
                BenchToolMain.write("mock: accept: \(error)\n", to: 2)
                return
            }
        }
    }
}

/// One connection: a request, its answer, and so on until the peer leaves.
private final class MockConnection: EventHandler {
    private var fd: OwnedFD?
    private let descriptor: Int32
    private let settings: MockSettings
    private let loop: EventLoop
    private var token = EventToken.none
    private var reader = MessageReader()
    private let input = ByteBuffer(capacity: 8_192)
    private let output = ByteBuffer()
    private var isAnswering = false
    private var isWaitingToWrite = false
    private var timer: TimerID?
    private var chunksLeft = 0
    private var nextChunk: UInt64 = 0

    init(_ fd: consuming OwnedFD, _ settings: MockSettings, _ loop: EventLoop) {
        descriptor = fd.raw
        self.fd = consume fd
        self.settings = settings
        self.loop = loop
    }

    func start() throws(SystemError) {
        token = try loop.register(descriptor, .read, self)
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        if isWaitingToWrite, readiness.canWrite { flush() }
        guard readiness.canRead, fd != nil else { return }
        switch Syscalls.receive(descriptor, into: input, minimum: 8_192) {
        case .bytes: readRequest()
        case .wouldBlock: return
        case .endOfStream, .failed: close()
        }
    }

    private func readRequest() {
        guard !isAnswering else { return }
        switch reader.read(input, body: { _ in }) {
        case .needMore: return
        case .malformed: close()
        case .complete:
            isAnswering = true
            chunksLeft = settings.chunks
            nextChunk = loop.now + settings.delayNanoseconds
            if settings.delayNanoseconds == 0 { answer() } else { wait() }
        }
    }

    private func wait() {
        timer = loop.schedule(at: nextChunk, self, kind: 0)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        timer = nil
        answer()
    }

    /// Sends what is due: the whole answer, or the next event of a stream.
    private func answer() {
        guard settings.streams else { return finish(with: settings.answer) }
        if chunksLeft == settings.chunks {
            output.append(MockAnswers.streamHead)
            output.append(settings.firstEvents)
        }
        if settings.intervalNanoseconds == 0 {
            for _ in 0..<chunksLeft { output.append(settings.event) }
            return finish(with: settings.lastEvents)
        }
        if chunksLeft == 0 { return finish(with: settings.lastEvents) }
        chunksLeft -= 1
        output.append(settings.event)
        flush()
        guard fd != nil else { return }
        // From the due time, not from now: a late event does not make the stream slower.
        nextChunk += settings.intervalNanoseconds
        wait()
    }

    private func finish(with bytes: [UInt8]) {
        output.append(bytes)
        isAnswering = false
        flush()
        if fd != nil, reader.closes, output.isEmpty { return close() }
        if fd != nil, !input.isEmpty { readRequest() }
    }

    private func flush() {
        while !output.isEmpty {
            switch Syscalls.send(descriptor, from: output) {
            case .bytes: continue
            case .wouldBlock:
                if !isWaitingToWrite { loop.modify(token, [.read, .write]) }
                isWaitingToWrite = true
                return
            case .failed: return close()
            }
        }
        if isWaitingToWrite { loop.modify(token, .read) }
        isWaitingToWrite = false
    }

    private func close() {
        if let timer { loop.cancel(timer) }
        timer = nil
        loop.deregister(token)
        fd = nil
    }
}
