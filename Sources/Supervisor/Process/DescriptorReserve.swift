// SPDX-License-Identifier: Apache-2.0
import System

/// One descriptor that is kept free for the time when there is no other.
///
/// Without it a process that has run out of descriptors cannot even refuse a client: the connection
/// stays in the kernel's queue and reports itself for ever.
final class DescriptorReserve {
    private var fd: OwnedFD?

    init() {
        refill()
    }

    /// Frees the descriptor for one call that makes another; false when it is in use already.
    func release() -> Bool {
        guard fd != nil else { return false }
        fd = nil
        return true
    }

    /// Takes a descriptor again, if there is one.
    func refill() {
        guard fd == nil else { return }
        do throws(Errno) {
            fd = try Syscalls.openForReading("/dev/null")
        } catch {
            // The next time; until then nothing is refused.
            fd = nil
        }
    }
}
