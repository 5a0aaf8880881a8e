// SPDX-License-Identifier: Apache-2.0
import Glibc
import System

/// A moment after which a wait gives up.
///
/// Every wait of the tests takes one, so that a hang becomes a failure that says where.
package struct Deadline: Sendable {
    /// On the monotonic clock.
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func after(_ duration: Duration) -> Deadline {
        Deadline(nanoseconds: Syscalls.monotonicNanoseconds() + duration.nanoseconds)
    }

    /// Long enough for everything that should take milliseconds, on a busy machine of two cores.
    package static var soon: Deadline { after(.seconds(10)) }

    package var hasPassed: Bool { Syscalls.monotonicNanoseconds() >= nanoseconds }

    /// Milliseconds left, rounded up, 0 when the moment has passed.
    var milliseconds: Int32 {
        let now = Syscalls.monotonicNanoseconds()
        guard nanoseconds > now else { return 0 }
        return Int32(clamping: (nanoseconds - now + 999_999) / 1_000_000)
    }
}

extension Duration {
    /// Whole nanoseconds; a negative duration counts as none.
    package var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds)) * 1_000_000_000 + UInt64(max(0, attoseconds / 1_000_000_000))
    }

    /// Milliseconds with their fraction, for text and comparisons in tests.
    package var milliseconds: Double { Double(nanoseconds) / 1_000_000 }
}

/// Why a test could not go on.
package struct TestFailure: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// What poll(2) is asked and says about one descriptor.
package struct PollEvents: OptionSet, Sendable {
    package let rawValue: Int16

    package init(rawValue: Int16) {
        self.rawValue = rawValue
    }

    package static let readable = PollEvents(rawValue: Int16(POLLIN))
    package static let writable = PollEvents(rawValue: Int16(POLLOUT))
    /// The peer will send no more.
    package static let peerEnded = PollEvents(rawValue: 0x2000)
    package static let error = PollEvents(rawValue: Int16(POLLERR))
    package static let hangup = PollEvents(rawValue: Int16(POLLHUP))

    /// Every sign that the other side of a connection is gone.
    package static let gone: PollEvents = [.peerEnded, .error, .hangup]
}

/// Waits until one of `descriptors` has something to report.
///
/// poll(2).
///
/// Returns what each reports, in order; all empty when the deadline passed.
package func pollDescriptors(
    _ descriptors: [(fd: Int32, events: PollEvents)],
    until deadline: Deadline
) -> [PollEvents] {
    var entries = descriptors.map { pollfd(fd: $0.fd, events: $0.events.rawValue, revents: 0) }
    while true {
        // SAFETY: the kernel reads and writes the entries of the array, as many as it has.
        let count = unsafe entries.withUnsafeMutableBufferPointer { buffer in
            unsafe poll(buffer.baseAddress, nfds_t(buffer.count), deadline.milliseconds)
        }
        if count != 0 || deadline.hasPassed { break }
    }
    return entries.map { PollEvents(rawValue: $0.revents) }
}

/// Calls `condition` again and again until it gives a value.
///
/// For what nothing announces, such as a file in /proc: looks every 2 ms. Where something does
/// announce it, `ChangeSignal` wakes at once.
package func eventually<Value>(
    _ what: String,
    by deadline: Deadline = .soon,
    _ condition: () throws -> Value?
) throws -> Value {
    while true {
        if let value = try condition() { return value }
        if deadline.hasPassed { throw TestFailure("in time there was no \(what)") }
        _ = pollDescriptors([], until: .after(.milliseconds(2)))
    }
}
