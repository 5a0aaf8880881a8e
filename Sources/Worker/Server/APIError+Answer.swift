// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP

/// An error as the answer to one request.
extension APIError {
    /// Appends the fields that belong to the error.
    func appendFields(to writer: HeadWriter) {
        writer.field("content-type", "application/json")
        if let allow { writer.field("allow", allow) }
        if let retryAfterSeconds { writer.field("retry-after", decimal: retryAfterSeconds) }
        if let shouldRetry { writer.field("x-should-retry", shouldRetry ? "true" : "false") }
        if status == 401 { writer.field("www-authenticate", "Bearer") }
    }

    /// Appends the body in the shape of the client's vendor, some of which name the request.
    func append(
        as shape: ErrorShape,
        of ledger: borrowing RequestLedger,
        head: ByteBuffer?,
        to body: ByteBuffer
    ) {
        guard shape == .anthropic else {
            append(as: shape, to: body)
            return
        }
        let id = ByteBuffer(capacity: 64)
        ledger.id.append(to: id, head: head)
        append(as: shape, requestID: id.text, to: body)
    }
}
