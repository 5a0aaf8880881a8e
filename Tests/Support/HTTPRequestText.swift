// SPDX-License-Identifier: Apache-2.0

/// Builds requests the way a client library does, and only that: odd ones are written by hand.
package enum HTTPRequestText {
    /// A request with `host` and, when there is a body, `content-length`.
    ///
    /// A body whose fields name a transfer coding is sent as it is.
    package static func bytes(
        _ method: String,
        _ target: String,
        fields: [WireField] = [],
        body: [UInt8]? = nil
    ) -> [UInt8] {
        var text = "\(method) \(target) HTTP/1.1\r\n"
        if fields.value("host") == nil { text += "host: gateway.test\r\n" }
        for field in fields { text += "\(field.name): \(field.value)\r\n" }
        if let body, fields.value("transfer-encoding") == nil {
            text += "content-length: \(body.count)\r\n"
        }
        text += "\r\n"
        return Array(text.utf8) + (body ?? [])
    }

    /// A POST of JSON text.
    package static func post(
        _ target: String,
        _ json: String,
        fields: [WireField] = []
    ) -> [UInt8] {
        bytes(
            "POST",
            target,
            fields: fields + [WireField("content-type", "application/json")],
            body: Array(json.utf8)
        )
    }

    /// A body as chunks with the given sizes cycling through, ended with `trailers`.
    package static func chunked(
        _ body: [UInt8],
        sizes: [Int],
        trailers: [WireField] = []
    ) -> [UInt8] {
        var result: [UInt8] = []
        var offset = 0
        var index = 0
        while offset < body.count {
            let size = min(sizes[index % sizes.count], body.count - offset)
            result += Array("\(String(size, radix: 16))\r\n".utf8)
            result += body[offset..<offset + size] + [0x0D, 0x0A]
            offset += size
            index += 1
        }
        result += Array("0\r\n".utf8)
        for trailer in trailers { result += Array("\(trailer.name): \(trailer.value)\r\n".utf8) }
        return result + [0x0D, 0x0A]
    }
}
