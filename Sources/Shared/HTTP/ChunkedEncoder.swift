// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// Writes the chunked transfer coding.
///
/// Spec: RFC 9112 section 7.1.
package enum ChunkedEncoder {
    /// Bytes around the data of one chunk at most: 16 digits and two CRLF.
    package static let overheadBytesMax = 20

    /// Appends `data` as one chunk; nothing if it is empty, since an empty chunk ends the body.
    package static func append(_ data: Span<UInt8>, to out: ByteBuffer) {
        guard !data.isEmpty else { return }
        beginChunk(bytes: data.count, to: out)
        out.append(data)
        endChunk(to: out)
    }

    /// Appends the size line of a chunk; exactly `bytes` of data and `endChunk` must follow.
    package static func beginChunk(bytes: Int, to out: ByteBuffer) {
        precondition(bytes > 0, "an empty chunk would end the body")
        out.append(hexadecimal: UInt(bytes))
        out.append("\r\n")
    }

    /// Appends what follows the data of a chunk.
    package static func endChunk(to out: ByteBuffer) {
        out.append("\r\n")
    }

    /// Appends the end of the body.
    package static func appendEnd(to out: ByteBuffer) {
        out.append("0\r\n\r\n")
    }
}
