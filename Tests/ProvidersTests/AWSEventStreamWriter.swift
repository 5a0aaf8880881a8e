// SPDX-License-Identifier: Apache-2.0

/// Writes AWS event-stream messages for tests, with a checksum of its own.
struct AWSEventStreamWriter {
    /// Headers of type string, in order.
    var headers: [(name: String, value: String)] = []
    var payload: [UInt8] = []
    /// Raw headers behind the others.
    var rawHeaders: [UInt8] = []

    static func event(_ name: String, _ payload: String) -> AWSEventStreamWriter {
        AWSEventStreamWriter(
            headers: [
                (":event-type", name), (":content-type", "application/json"),
                (":message-type", "event"),
            ],
            payload: Array(payload.utf8)
        )
    }

    static func exception(_ name: String, _ payload: String) -> AWSEventStreamWriter {
        AWSEventStreamWriter(
            headers: [
                (":exception-type", name), (":content-type", "application/json"),
                (":message-type", "exception"),
            ],
            payload: Array(payload.utf8)
        )
    }

    var bytes: [UInt8] {
        var head: [UInt8] = []
        for header in headers {
            head += [UInt8(header.name.utf8.count)] + header.name.utf8 + [7]
            head += Self.big(header.value.utf8.count, 2) + header.value.utf8
        }
        head += rawHeaders
        return Self.message(
            length: 16 + head.count + payload.count,
            headerBytes: head.count,
            body: head + payload
        )
    }

    /// A message with whatever lengths, and the right checksums.
    static func message(length: Int, headerBytes: Int, body: [UInt8]) -> [UInt8] {
        var bytes = big(length, 4) + big(headerBytes, 4)
        bytes += big(Int(checksum(bytes)), 4) + body
        return bytes + big(Int(checksum(bytes)), 4)
    }

    static func big(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    /// Bit by bit, as the definition has it.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var value: UInt32 = .max
        for byte in bytes {
            value ^= UInt32(byte)
            for _ in 0..<8 {
                let isOdd = value & 1 == 1
                value >>= 1
                if isOdd { value ^= 0xEDB8_8320 }
            }
        }
        return ~value
    }
}
