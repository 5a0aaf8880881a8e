// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// The name of a stream's event, taken from its data.
///
/// Anthropic's SDKs go by the `event:` line, which Bedrock behind SAP AI Core leaves out.
package enum MessagesEventName {
    /// Where the value of the member `type` stands in the JSON of an event, without its quotes.
    ///
    /// Nil for data without one. Vendors write it first, so this rarely looks further than there.
    package static func range(of data: Span<UInt8>) -> Range<Int>? {
        guard let value = MessagesJSON.member("type", of: data), value.count > 2,
            data[value.lowerBound] == UInt8(ascii: "\"")
        else { return nil }
        return value.lowerBound + 1..<value.upperBound - 1
    }

    /// Appends the `event:` line for `data`; nothing if it has no type.
    package static func appendLine(of data: Span<UInt8>, to out: ByteBuffer) {
        guard let range = range(of: data) else { return }
        out.append("event: ")
        out.append(data.extracting(range))
        out.append("\n")
    }
}
