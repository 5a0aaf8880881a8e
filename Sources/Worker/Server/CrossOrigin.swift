// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP

/// Which web pages may use the gateway from a browser.
///
/// Spec: the CORS protocol of the Fetch standard, section 3.2.
struct CrossOrigin {
    /// What a browser may keep a preflight answer for: ten minutes, the least cap of all browsers.
    private static let maxAgeSeconds = 600

    private let origins: [String]
    private let allowsAll: Bool

    init(origins: [String]) {
        self.origins = origins
        allowsAll = origins.contains("*")
    }

    func allows(_ origin: Span<UInt8>) -> Bool {
        if allowsAll { return true }
        return origins.contains { known in
            var known = known
            // SAFETY: the span does not outlive the call.
            return known.withUTF8 { text in
                guard text.count == origin.count else { return false }
                for index in 0..<text.count where unsafe text[index] != origin[index] {
                    return false
                }
                return true
            }
        }
    }

    /// Appends what lets the page at `origin` read an answer; nothing for others.
    func appendFields(for origin: Range<Int>?, in head: ByteBuffer?, to writer: HeadWriter) {
        guard let origin, let head, !origins.isEmpty else { return }
        head.withBytes(in: origin) { text in
            guard allows(text) else { return }
            writer.field("access-control-allow-origin", text)
            writer.field("vary", "origin")
            writer.field(
                "access-control-expose-headers",
                "x-request-id, x-correlation-id, retry-after"
            )
        }
    }

    /// Appends what a preflight asks for.
    func appendPreflight(
        allow: StaticString,
        headers: Range<Int>?,
        in head: ByteBuffer?,
        to writer: HeadWriter
    ) {
        writer.field("access-control-allow-methods", allow)
        if let headers, let head {
            head.withBytes(in: headers) { text in
                _ = writer.field("access-control-allow-headers", text)
            }
        }
        writer.field("access-control-max-age", decimal: Self.maxAgeSeconds)
    }
}
