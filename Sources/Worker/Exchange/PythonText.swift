// SPDX-License-Identifier: Apache-2.0
import Bytes
import Providers

/// Events that are Python literals where JSON was meant, as SAP AI Core sends them for Converse.
enum PythonText {
    /// The JSON of `text`; nil when it is no Python literal either.
    static func json(_ text: Span<UInt8>) -> ByteBuffer? {
        let out = ByteBuffer(capacity: text.count + 16)
        do throws(PythonLiteralError) {
            try PythonLiteral.append(json: text, to: out)
            return out
        } catch {
            return nil
        }
    }
}
