// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
package import System

/// Wakes a waiting test when another thread changed something.
///
/// A pipe, so that one poll(2) can wait for it together with descriptors and a deadline.
package final class ChangeSignal: Sendable {
    package let readEnd: Int32
    private let writeEnd: Int32

    package init() throws(Errno) {
        let pair = try Syscalls.pipe()
        readEnd = try pair.first.duplicate().release()
        writeEnd = try pair.second.duplicate().release()
    }

    deinit {
        Glibc.close(readEnd)
        Glibc.close(writeEnd)
    }

    /// Wakes whoever waits now or next.
    ///
    /// A full pipe is fine: it wakes as well.
    package func notify() {
        let byte: [UInt8] = [1]
        _ = Syscalls.write(writeEnd, byte.span)
    }

    /// Waits for `condition` to give a value, looking at it after each notification.
    package func wait<Value>(
        for what: @autoclosure () -> String,
        until deadline: Deadline,
        _ condition: () throws -> Value?
    ) throws -> Value {
        let sink = ByteBuffer()
        while true {
            if let value = try condition() { return value }
            if deadline.hasPassed { throw TestFailure("in time there was no \(what())") }
            // The cap lets a second waiter on the same signal miss a wake-up without harm.
            let nap = Deadline.after(.milliseconds(20))
            let limit = nap.nanoseconds < deadline.nanoseconds ? nap : deadline
            let events = pollDescriptors([(readEnd, .readable)], until: limit)
            if events[0].contains(.readable) {
                _ = Syscalls.read(readEnd, into: sink, minimum: 4096)
                sink.clear()
            }
        }
    }
}

/// A gate that scripts wait at until the test opens it.
package final class Gate: Sendable {
    /// Readable from the opening on, for everyone who polls it.
    package let descriptor: Int32
    private let signal: ChangeSignal

    package init() throws(Errno) {
        signal = try ChangeSignal()
        descriptor = signal.readEnd
    }

    /// Lets everyone through who waits now or comes later.
    package func open() {
        signal.notify()
    }
}
