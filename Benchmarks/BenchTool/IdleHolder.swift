// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// How many connections are held, and for how long at most.
struct IdleSettings {
    let target: TargetURL
    let count: Int
    let seconds: Int

    init(_ options: inout Options) throws(UsageError) {
        target = try TargetURL(options.text("url"))
        count = try options.number("count", in: 1...100_000) ?? 100
        seconds = try options.number("hold-seconds", in: 1...600) ?? 60
        try options.finish()
    }
}

/// Opens connections, makes one request on each, and then does nothing with them.
final class IdleHolder: EventHandler {
    /// Connections opened at the same time: below every listen queue.
    private static let openingMax = 64

    let settings: IdleSettings
    let loop: EventLoop
    let request: [UInt8]
    private let signals: OwnedFD
    private var opened = 0
    private var held = 0
    private var lost = 0

    init(_ settings: IdleSettings) throws {
        self.settings = settings
        loop = try EventLoop()
        signals = try Syscalls.signalDescriptor([.terminate, .interrupt])
        request = LoadSettings.request(settings.target, [], body: nil, closes: false)
    }

    /// Prints `held N` when every connection has had its answer, `lost N` at the end.
    func run() throws {
        _ = try loop.register(signals.raw, .read, self)
        let length = UInt64(settings.seconds) * 1_000_000_000
        _ = loop.schedule(at: loop.now + length, self, kind: 0)
        while opened < min(Self.openingMax, settings.count) { open() }
        try loop.run()
        BenchToolMain.write("lost \(lost)\n", to: 1)
    }

    override func ready(_ readiness: Readiness, token: EventToken) { loop.stop() }

    override func timerFired(kind: UInt32, id: TimerID) { loop.stop() }

    private func open() {
        opened += 1
        do {
            try IdleConnection(self).begin()
        } catch {
            BenchToolMain.write("idle: \(error)\n", to: 2)
            connectionLost(answered: false)
        }
    }

    func connectionAnswered() {
        held += 1
        advance()
    }

    func connectionLost(answered: Bool) {
        lost += 1
        if !answered { advance() }
    }

    private func advance() {
        if opened < settings.count { return loop.atEndOfTurn(self) }
        if held + lost >= settings.count { BenchToolMain.write("held \(held)\n", to: 1) }
    }

    override func turnEnded() {
        if opened < settings.count { open() }
    }
}

private final class IdleConnection: EventHandler {
    private unowned let holder: IdleHolder
    private var fd: OwnedFD?
    private var token = EventToken.none
    private var reader = MessageReader()
    private var input: ByteBuffer?
    private var isAnswered = false

    init(_ holder: IdleHolder) {
        self.holder = holder
    }

    func begin() throws {
        let socket = try Syscalls.streamSocket(for: holder.settings.target.address)
        let descriptor = socket.raw
        fd = consume socket
        token = try holder.loop.register(descriptor, [.read, .write], self)
        do {
            try Syscalls.connect(descriptor, holder.settings.target.address)
        } catch {
            if error != .inProgress {
                holder.loop.deregister(token)
                throw error
            }
        }
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        guard let descriptor = fd?.raw else { return }
        guard let input else {
            let request = holder.request
            let outcome = Syscalls.send(descriptor, request.span)
            guard outcome == .bytes(request.count) else { return close() }
            input = ByteBuffer(capacity: 1_024)
            holder.loop.modify(token, .read)
            return
        }
        guard case .bytes = Syscalls.receive(descriptor, into: input, minimum: 512) else {
            return close()
        }
        guard !isAnswered else { return }
        switch reader.read(input, body: { _ in }) {
        case .needMore: return
        case .malformed: close()
        case .complete:
            isAnswered = reader.status == 200
            if isAnswered { holder.connectionAnswered() } else { close() }
        }
    }

    private func close() {
        holder.loop.deregister(token)
        fd = nil
        holder.connectionLost(answered: isAnswered)
    }
}
