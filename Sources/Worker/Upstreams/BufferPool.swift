// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Buffers that are passed from read to read, so that a connection that waits holds none.
final class BufferPool {
    /// Bytes of a buffer: one TLS record, and more than most responses of a model.
    static let bufferBytes = 16 << 10
    /// Most buffers kept: as many as are usually in use within one turn.
    static let buffersMax = 64
    /// Larger buffers are not kept: one huge request must not set the memory of a worker.
    static let keptBytesMax = 64 << 10

    private var free: [ByteBuffer] = []

    /// Buffers taken and not given back.
    private(set) var taken = 0

    func take() -> ByteBuffer {
        taken += 1
        return free.popLast() ?? ByteBuffer(capacity: Self.bufferBytes)
    }

    func give(_ buffer: ByteBuffer) {
        taken -= 1
        guard free.count < Self.buffersMax, buffer.capacity >= Self.bufferBytes,
            buffer.capacity <= Self.keptBytesMax
        else { return }
        buffer.clear()
        free.append(buffer)
    }
}
