// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// Connections to which the supervisor says a last word.
///
/// A close with unread bytes resets the connection, and with it what was just written. So the own
/// side is ended first, and what the client still sends is thrown away until it ends its side.
final class Farewells {
    /// Connections that are waited for at once: a crash of a full worker has more, and the rest is
    /// closed at once, which most clients do not notice.
    static let countMax = 2048
    /// Bytes that are thrown away at once.
    fileprivate static let bytesPerTurn = 64 << 10
    /// Bytes of a client that does not stop sending.
    fileprivate static let bytesMax = 4 << 20
    /// How long a client may take to end its side.
    fileprivate static let patience: UInt64 = 2_000_000_000

    fileprivate let loop: EventLoop
    fileprivate let discarded = ByteBuffer()
    private var open: [ObjectIdentifier: Farewell] = [:]

    init(loop: EventLoop) {
        self.loop = loop
    }

    var count: Int { open.count }

    /// Sends `bytes` and closes at once: for a connection that has the last descriptor.
    ///
    /// What the client has sent by now is read, so that the answer is not lost to a reset.
    func sayBriefly(_ bytes: [UInt8], to fd: consuming OwnedFD) {
        let buffer = ByteBuffer(capacity: bytes.count)
        buffer.append(bytes)
        _ = Syscalls.send(fd.raw, from: buffer)
        Syscalls.shutdown(fd.raw, .write)
        discarded.clear()
        _ = Syscalls.receive(fd.raw, into: discarded, minimum: Self.bytesPerTurn)
    }

    /// Sends `bytes` as far as the connection takes them, and closes it in order.
    ///
    /// `isFramed` says that the client sees when they, or something before them, are missing; without
    /// that an orderly close may only follow the whole.
    func say(_ bytes: [UInt8], to fd: consuming OwnedFD, isFramed: Bool = true) {
        let buffer = ByteBuffer(capacity: bytes.count)
        buffer.append(bytes)
        // A full or broken connection gets nothing: nobody waits for it here.
        _ = Syscalls.send(fd.raw, from: buffer)
        if isFramed || buffer.isEmpty { close(fd) } else { reset(fd) }
    }

    /// Ends a connection so that the client does not take what it has for the whole.
    ///
    /// A Unix socket knows no reset: its client sees an end.
    func reset(_ fd: consuming OwnedFD) {
        Syscalls.setResetOnClose(fd.raw)
        fd.close()
    }

    /// Closes a connection without a word, in order.
    func close(_ fd: consuming OwnedFD) {
        Syscalls.shutdown(fd.raw, .write)
        guard open.count < Self.countMax else { return }
        let farewell = Farewell(fd, self)
        guard farewell.start() else { return }
        open[ObjectIdentifier(farewell)] = farewell
    }

    fileprivate func ended(_ farewell: Farewell) {
        open[ObjectIdentifier(farewell)] = nil
    }
}

/// One of them.
private final class Farewell: EventHandler {
    private static let kind: UInt32 = 1

    private let fd: OwnedFD
    private unowned let owner: Farewells
    private var token = EventToken.none
    private var timer: TimerID?
    private var bytes = 0

    init(_ fd: consuming OwnedFD, _ owner: Farewells) {
        self.fd = fd
        self.owner = owner
    }

    /// False when the connection cannot be watched, or has ended already.
    func start() -> Bool {
        if discard() { return false }
        do throws(SystemError) {
            token = try owner.loop.register(fd.raw, .read, self)
        } catch {
            return false
        }
        timer = owner.loop.schedule(
            at: owner.loop.now + Farewells.patience,
            self,
            kind: Self.kind
        )
        return true
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        if discard() { end() }
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        timer = nil
        end()
    }

    /// True when nothing more will come, or too much has.
    private func discard() -> Bool {
        owner.discarded.clear()
        let outcome = Syscalls.receive(
            fd.raw,
            into: owner.discarded,
            minimum: 4096,
            limit: Farewells.bytesPerTurn
        )
        switch outcome {
        case .bytes(let count):
            bytes += count
            return bytes > Farewells.bytesMax
        case .wouldBlock: return false
        case .endOfStream, .failed: return true
        }
    }

    private func end() {
        owner.loop.deregister(token)
        if let timer { owner.loop.cancel(timer) }
        owner.ended(self)
    }
}
