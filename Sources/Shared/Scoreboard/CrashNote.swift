// SPDX-License-Identifier: Apache-2.0
import System

/// What a crashed worker left in its page.
package struct CrashNote: Equatable, Sendable {
    /// The signal that its handler saw; nil when no handler ran, as with SIGKILL.
    package var signal: Int?
    /// The address that could not be accessed.
    package var address: UInt64 = 0
    /// The frames, the crashed instruction first: `apus-worker+0x1f2e` for those of the program, which
    /// addr2line(1) turns into lines, else the address.
    package var backtrace: [String] = []
    /// The request that was worked at.
    package var requestID: String?

    package init() {}

    /// Frames that are shown.
    private static let framesMax = 24

    init(_ memory: SharedMemory, at offset: Int, requestID: String?) {
        self.requestID = requestID
        guard memory.load32(offset) == 1 else { return }
        signal = Int(memory.load32(offset + 4))
        address = memory.load64(offset + 8)
        let base = memory.load64(offset + 16)
        let end = memory.load64(offset + 24)
        let count = min(Int(memory.load32(offset + 32)), Self.framesMax)
        backtrace = (0..<count).map { index in
            let frame = memory.load64(offset + 40 + 8 * index)
            return frame >= base && frame < end
                ? "apus-worker+0x" + String(frame - base, radix: 16)
                : "0x" + String(frame, radix: 16)
        }
    }
}
