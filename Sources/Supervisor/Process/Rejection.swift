// SPDX-License-Identifier: Apache-2.0
import Bytes
import System

/// The answer to a connection that no worker can take.
enum Rejection {
    /// Bytes of the request that are read and dropped: a close with unread bytes would reset the
    /// connection and with it the answer that is under way.
    private static let drainBytesMax = 64 * 1024

    private static let answer: StaticString = """
        HTTP/1.1 503 Service Unavailable\r
        Content-Type: application/json\r
        Content-Length: 117\r
        Retry-After: 1\r
        Connection: close\r
        \r
        {"error":{"message":"No worker is free. Try again.","type":"server_error","param":null,\
        "code":"service_unavailable"}}
        """

    /// Answers 503 in one send, and closes.
    static func send(to fd: consuming OwnedFD) {
        let buffer = ByteBuffer(capacity: answer.utf8CodeUnitCount)
        buffer.append(answer)
        // A full or broken connection gets nothing: nobody waits for it here.
        _ = Syscalls.send(fd.raw, from: buffer)
        Syscalls.shutdown(fd.raw, .write)
        buffer.clear()
        while buffer.count < drainBytesMax {
            guard case .bytes = Syscalls.receive(fd.raw, into: buffer, minimum: 4096) else {
                return
            }
        }
    }
}
