// SPDX-License-Identifier: Apache-2.0
import Loop
import System

/// Takes over the operator's signals and reports them as events.
final class SignalReader: EventHandler {
    /// The signals of a supervisor; every other one keeps its default.
    static let signals: [Signal] = [.terminate, .interrupt, .hangup, .ttyIn, .ttyOut, .user2]

    private let fd: OwnedFD
    private let received: (Signal) -> Void

    /// Blocks the signals from here on.
    ///
    /// Call before the first worker is started: as process 1 of a container, the kernel discards
    /// signals that nobody waits for.
    init(
        _ signals: [Signal] = SignalReader.signals,
        _ received: @escaping (Signal) -> Void
    ) throws(SystemError) {
        do throws(Errno) {
            fd = try Syscalls.signalDescriptor(signals)
        } catch {
            throw SystemError(.signalfd, error)
        }
        self.received = received
    }

    func start(on loop: EventLoop) throws(SystemError) {
        _ = try loop.register(fd.raw, .read, self)
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        while let signal = next() { received(signal) }
    }

    private func next() -> Signal? {
        do throws(Errno) {
            return try Syscalls.readSignal(fd.raw)
        } catch {
            preconditionFailure("read of the signal descriptor: \(error)")
        }
    }
}
