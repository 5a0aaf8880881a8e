// SPDX-License-Identifier: Apache-2.0

/// A request as a scripted upstream received it.
package struct UpstreamRequestRecord: Sendable {
    /// Which request of this upstream it is, from 0.
    package let index: Int
    /// Which connection brought it, from 0.
    package let connection: Int
    package let method: String
    package let target: String
    package let fields: [WireField]
    package let body: [UInt8]

    package func value(_ name: String) -> String? { fields.value(name) }

    package var text: String { String(decoding: body, as: UTF8.self) }

    package func json() throws -> JSONValue { try JSONValue(bytes: body) }
}

/// What became of a connection to a scripted upstream.
package struct UpstreamConnectionRecord: Sendable {
    package var requests = 0
    /// Bytes that the kernel took from us: more than the peer has read.
    package var bytesWritten = 0
    /// When we saw that the peer had left, on the monotonic clock; nil while it is there.
    package var peerLeftAt: UInt64?
    /// Whether our side has closed it.
    package var isClosed = false
}
