// SPDX-License-Identifier: Apache-2.0

/// Writes Amazon's binary event stream.
enum AmazonFrames {
    /// Spec: AWS event stream encoding: lengths, checksum of the lengths, headers, payload, checksum
    /// of everything before, all integers big-endian.
    static func message(
        _ headers: [(name: String, value: String)],
        _ payload: [UInt8]
    ) -> [UInt8] {
        var head: [UInt8] = []
        for (name, value) in headers {
            head.append(UInt8(name.utf8.count))
            head += Array(name.utf8)
            // 7 is a string.
            head.append(7)
            head += [UInt8(value.utf8.count >> 8), UInt8(value.utf8.count & 0xFF)]
            head += Array(value.utf8)
        }
        var message = four(UInt32(16 + head.count + payload.count)) + four(UInt32(head.count))
        message += four(checksum(message))
        message += head + payload
        return message + four(checksum(message))
    }

    static func event(_ name: String, _ payload: String) -> [UInt8] {
        message(
            [
                (":event-type", name), (":content-type", "application/json"),
                (":message-type", "event"),
            ],
            Array(payload.utf8)
        )
    }

    /// An event of `invoke-with-response-stream`: JSON in Base64.
    static func chunk(_ data: String) -> [UInt8] {
        event("chunk", #"{"bytes":"\#(base64(Array(data.utf8)))","p":"abcd"}"#)
    }

    static func exception(_ name: String, _ payload: String) -> [UInt8] {
        message(
            [
                (":exception-type", name), (":content-type", "application/json"),
                (":message-type", "exception"),
            ],
            Array(payload.utf8)
        )
    }

    private static func four(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        var value = UInt32(byte)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
        return value
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var value = UInt32.max
        for byte in bytes {
            value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)]
        }
        return ~value
    }

    static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
        )
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let group = Array(bytes[index..<min(index + 3, bytes.count)])
            let padded = group + [UInt8](repeating: 0, count: 3 - group.count)
            let value = padded.reduce(0) { $0 << 8 | Int($1) }
            for place in 0..<4 {
                out.append(
                    place <= group.count
                        ? alphabet[value >> (18 - 6 * place) & 63] : UInt8(ascii: "=")
                )
            }
            index += 3
        }
        return String(decoding: out, as: UTF8.self)
    }
}
