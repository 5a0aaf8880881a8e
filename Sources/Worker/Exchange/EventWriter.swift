// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Writes server-sent events of our own.
enum EventWriter {
    /// Appends one event with `data`; a line break in it starts another `data:` line.
    ///
    /// Spec: WHATWG HTML, section 9.2.6 "Interpreting an event stream".
    static func append(data: ByteBuffer, to out: ByteBuffer) {
        out.append("data: ")
        data.withBytes { bytes in
            for index in 0..<bytes.count {
                if bytes[index] == 0x0D { continue }
                out.append(bytes[index])
                if bytes[index] == 0x0A { out.append("data: ") }
            }
        }
        out.append("\n\n")
    }
}
