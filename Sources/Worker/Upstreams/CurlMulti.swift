// SPDX-License-Identifier: Apache-2.0
import CCurl
import Loop
import System

/// One use of an easy handle in a multi.
///
/// A class to inherit from.
class CurlTransfer {
    let easy: CurlEasy
    /// 0 while the transfer is in no multi.
    fileprivate(set) var tag: UInt = 0
    /// Whether the descriptor's registration is wanted when the transfer succeeds.
    var claimsSocket: Bool { false }
    fileprivate var claimed: EventToken?

    init(easy: CurlEasy) {
        self.easy = easy
    }

    /// The registration of the connected descriptor, which the caller deregisters in the end.
    func takeRegistration() -> EventToken? {
        defer { claimed = nil }
        return claimed
    }

    /// libcurl is done with the transfer: connected, answered or failed.
    ///
    /// Once per `add`.
    func transferDone(_ code: Int32) {}
}

/// A libcurl multi handle on the event loop.
///
/// libcurl's callbacks only note what it wants; it is carried out after libcurl has returned. So no
/// code of ours runs inside a C frame, and a descriptor that libcurl asks for and drops again within
/// one call costs no system call.
@safe
final class CurlMulti: EventHandler {
    /// What libcurl wants from a descriptor.
    private final class Watch: EventHandler {
        let fd: Int32
        unowned let multi: CurlMulti
        var token: EventToken?
        var applied: Interest = []
        var wanted: Interest = []
        /// libcurl let go of the descriptor since `applied`: it may be another file by now.
        var wasDropped = false
        var transfer: UInt = 0

        init(fd: Int32, multi: CurlMulti) {
            self.fd = fd
            self.multi = multi
        }

        override func ready(_ readiness: Readiness, token: EventToken) {
            multi.descriptorReady(fd, readiness)
        }
    }

    private enum TimerKind {
        static let library: UInt32 = 0
    }

    private let loop: EventLoop
    private let raw: UnsafeMutableRawPointer
    private var watches: [Int32: Watch] = [:]
    private var changed: [Int32] = []
    private var transfers: [UInt: CurlTransfer] = [:]
    private var lastTag: UInt = 0
    /// Milliseconds that libcurl asked for since the last look; -1 is "no timer".
    private var timerNote: Int?
    private var timer = MovingDeadline()
    private var isDue = false
    /// A descriptor that is taken away from libcurl: it must not be closed.
    private var descriptorTaken: Int32 = -1

    init?(loop: EventLoop) {
        guard CurlLibrary.startFailure == 0, let multi = unsafe ccurl_multi_new() else {
            return nil
        }
        self.loop = loop
        unsafe raw = multi
        super.init()
        // SAFETY: libcurl calls back only from calls that this object makes, so it is alive.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let code = unsafe ccurl_multi_set_callbacks(
            raw,
            { _, fd, what, context, _ in
                unsafe CurlMulti.from(context)?.noteSocket(fd, what)
                return 0
            },
            { _, milliseconds, context in
                unsafe CurlMulti.from(context)?.timerNote = milliseconds
                return 0
            },
            context
        )
        if code != 0 { return nil }
    }

    deinit {
        // SAFETY: `close` took every transfer out before the owner let go.
        unsafe ccurl_multi_free(raw)
    }

    /// Sets a limit of the multi (CURLMOPT_*).
    ///
    /// A refusal leaves libcurl's default.
    func set(_ option: CURLMoption, _ value: Int) {
        _ = unsafe ccurl_multi_set_long(raw, option, value)
    }

    /// Takes every transfer out and lets the loop go.
    func close() {
        for transfer in Array(transfers.values) { remove(transfer) }
        for watch in watches.values {
            if let token = watch.token { loop.deregister(token) }
        }
        watches.removeAll()
        timer.cancel(on: loop)
        isDue = false
    }

    var transferCount: Int { transfers.count }

    // MARK: Transfers

    /// Starts a transfer; false when libcurl refuses it.
    func add(_ transfer: CurlTransfer) -> Bool {
        precondition(transfer.tag == 0, "a transfer is in one multi once")
        lastTag &+= 1
        transfer.easy.tag = lastTag
        // SAFETY: closing callbacks arrive only during calls of this object.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let code = unsafe ccurl_easy_set_close(
            transfer.easy.raw,
            { context, fd in unsafe CurlMulti.from(context)?.closeDescriptor(fd) ?? -1 },
            context
        )
        guard code == 0, unsafe ccurl_multi_add(raw, transfer.easy.raw) == 0 else { return false }
        transfer.tag = lastTag
        transfers[lastTag] = transfer
        applyNotes()
        return true
    }

    /// Takes a transfer out, which closes its connection if it is connected or connecting.
    func remove(_ transfer: CurlTransfer) {
        guard transfer.tag != 0 else { return }
        if let token = transfer.takeRegistration() { loop.deregister(token) }
        transfers[transfer.tag] = nil
        transfer.tag = 0
        // SAFETY: the handle was added above and is removed once.
        _ = unsafe ccurl_multi_remove(raw, transfer.easy.raw)
        applyNotes()
    }

    /// Takes a transfer out and keeps its connected descriptor open, which is the caller's then.
    func removeKeeping(_ transfer: CurlTransfer, descriptor: Int32) {
        descriptorTaken = descriptor
        remove(transfer)
        descriptorTaken = -1
    }

    // MARK: Notes of libcurl

    @unsafe
    private static func from(_ context: UnsafeMutableRawPointer?) -> CurlMulti? {
        guard let context = unsafe context else { return nil }
        // SAFETY: the context is set above, to an object that is alive during libcurl's calls.
        return unsafe Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue()
    }

    private func noteSocket(_ fd: Int32, _ what: Int32) {
        let watch: Watch
        if let known = watches[fd] {
            watch = known
        } else {
            if what == CURL_POLL_REMOVE { return }
            watch = Watch(fd: fd, multi: self)
            watches[fd] = watch
        }
        switch what {
        case CURL_POLL_IN: watch.wanted = .read
        case CURL_POLL_OUT: watch.wanted = .write
        case CURL_POLL_INOUT: watch.wanted = [.read, .write]
        default:
            watch.wanted = []
            watch.wasDropped = true
        }
        changed.append(fd)
    }

    /// Runs inside libcurl: epoll must forget the descriptor before its number is free again.
    private func closeDescriptor(_ fd: Int32) -> Int32 {
        if fd == descriptorTaken { return 0 }
        if let watch = watches.removeValue(forKey: fd), let token = watch.token {
            loop.deregister(token)
        }
        OwnedFD(owning: fd).close()
        return 0
    }

    private func applyNotes() {
        if !changed.isEmpty {
            let descriptors = changed
            changed.removeAll(keepingCapacity: true)
            for fd in descriptors { apply(fd) }
        }
        guard let milliseconds = timerNote else { return }
        timerNote = nil
        if milliseconds < 0 {
            timer.clear()
            isDue = false
        } else if milliseconds == 0 {
            timer.clear()
            becomeDue()
        } else {
            isDue = false
            let due = Syscalls.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
            timer.set(due, on: loop, self, kind: TimerKind.library)
        }
    }

    private func apply(_ fd: Int32) {
        guard let watch = watches[fd] else { return }
        if watch.wasDropped, let token = watch.token {
            // The number may name another file by now, which epoll does not know yet: start over.
            loop.deregister(token)
            watch.token = nil
            watch.applied = []
        }
        watch.wasDropped = false
        if watch.wanted.isEmpty {
            if let token = watch.token { loop.deregister(token) }
            watches[fd] = nil
        } else if let token = watch.token {
            if watch.applied != watch.wanted { loop.modify(token, watch.wanted) }
        } else {
            do {
                watch.token = try loop.register(fd, watch.wanted, watch)
            } catch {
                // Without events the transfer stands still until its timeout; there is no other
                // way to tell libcurl.
                watches[fd] = nil
                return
            }
        }
        watch.applied = watch.wanted
    }

    // MARK: Events

    private func descriptorReady(_ fd: Int32, _ readiness: Readiness) {
        var events: Int32 = 0
        if readiness.canRead { events |= CURL_CSELECT_IN }
        if readiness.canWrite { events |= CURL_CSELECT_OUT }
        if readiness.contains(.failed) { events |= CURL_CSELECT_ERR }
        act(fd, events)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        if timer.hasPassed(on: loop, self, kind: TimerKind.library) { becomeDue() }
    }

    /// Has libcurl look at its timers at the end of the turn.
    private func becomeDue() {
        if isDue { return }
        isDue = true
        loop.atEndOfTurn(self)
    }

    override func turnEnded() {
        guard isDue else { return }
        isDue = false
        // CURL_SOCKET_TIMEOUT, a macro with a cast that Swift does not import.
        act(-1, 0)
    }

    private func act(_ fd: Int32, _ events: Int32) {
        _ = unsafe ccurl_multi_act(raw, fd, events)
        var done: [(tag: UInt, code: Int32)] = []
        while true {
            var code: Int32 = 0
            guard let easy = unsafe ccurl_multi_next_done(raw, &code) else { break }
            let tag = unsafe ccurl_easy_tag(easy)
            done.append((tag, code))
            if code == 0, let transfer = transfers[tag], transfer.claimsSocket {
                claimSocket(of: transfer)
            }
        }
        applyNotes()
        for (tag, code) in done {
            // One before may have removed it.
            transfers[tag]?.transferDone(code)
        }
    }

    /// Keeps the registration of a connected descriptor, which libcurl has just let go of, so that
    /// its next user changes it instead of adding it anew.
    private func claimSocket(of transfer: CurlTransfer) {
        let fd = transfer.easy.socket
        guard fd >= 0, let watch = watches[fd], let token = watch.token else { return }
        watches[fd] = nil
        transfer.claimed = token
    }
}
