// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Buffers that connections borrow while they have bytes to hold.
///
/// An idle connection holds none, which is what makes ten thousand of them cheap.
final class BufferPool {
    /// Size of a fresh buffer: a usual request or answer fits whole.
    static let bufferBytes = 16 << 10
    /// Larger buffers are not kept: one huge request must not set the memory of a worker.
    private static let keptBytesMax = 64 << 10
    /// Buffers kept: what a few hundred busy connections pass around within one turn.
    private static let keptMax = 128

    private var free: [ByteBuffer] = []

    func take() -> ByteBuffer {
        free.popLast() ?? ByteBuffer(capacity: Self.bufferBytes)
    }

    func give(_ buffer: ByteBuffer) {
        guard free.count < Self.keptMax, buffer.capacity >= Self.bufferBytes,
            buffer.capacity <= Self.keptBytesMax
        else { return }
        buffer.clear()
        free.append(buffer)
    }
}
