// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// Starts the head of a response.
package enum ResponseHeadWriter {
    /// Appends the status line and returns what appends the fields.
    package static func begin(_ out: ByteBuffer, status: Int) -> HeadWriter {
        precondition((100...599).contains(status), "status \(status) cannot be written")
        if status == 200 {
            out.append("HTTP/1.1 200 OK\r\n")
        } else {
            out.append("HTTP/1.1 ")
            out.append(decimal: status)
            out.append(ASCII.space)
            out.append(HTTPStatus.reason(status))
            out.append("\r\n")
        }
        return HeadWriter(out)
    }
}

/// Starts the head of a request.
package enum RequestHeadWriter {
    /// Appends the request line and returns what appends the fields.
    ///
    /// - Returns: Nil, with nothing appended, if `target` is empty or holds a byte that is not
    ///   visible ASCII: a space or a line end in it would write another request.
    package static func begin(
        _ out: ByteBuffer,
        method: HTTPMethod,
        target: Span<UInt8>
    ) -> HeadWriter? {
        precondition(method != .other, "a request needs a method with a name")
        guard !target.isEmpty else { return nil }
        for index in 0..<target.count where !ASCII.isVisible(target[index]) { return nil }
        out.append(method.name)
        out.append(ASCII.space)
        out.append(target)
        out.append(" HTTP/1.1\r\n")
        return HeadWriter(out)
    }

    /// As above, for a target that is kept as text.
    package static func begin(
        _ out: ByteBuffer,
        method: HTTPMethod,
        target: String
    ) -> HeadWriter? {
        begin(out, method: method, target: target.utf8.span)
    }
}

/// Appends the field lines of a head.
///
/// What could end a line early cannot be written: a name that is not a token, or a value with a
/// control byte other than the tab, is refused and appends nothing. Text that the program itself
/// contains is checked by precondition.
package struct HeadWriter {
    private let out: ByteBuffer

    init(_ out: ByteBuffer) {
        self.out = out
    }

    /// Appends a field with a fixed value.
    package func field(_ name: StaticString, _ value: StaticString) {
        for index in 0..<value.utf8CodeUnitCount {
            precondition(!ASCII.isControl(value.byte(index)), "a fixed value has a control byte")
        }
        checkName(name)
        out.append(name)
        out.append(": ")
        out.append(value)
        out.append("\r\n")
    }

    /// Appends a field.
    ///
    /// - Returns: Whether it was appended; false if `value` holds a control byte.
    @discardableResult
    package func field(_ name: StaticString, _ value: Span<UInt8>) -> Bool {
        checkName(name)
        guard Self.isValue(value) else { return false }
        out.append(name)
        out.append(": ")
        out.append(value)
        out.append("\r\n")
        return true
    }

    /// Appends a field with a value kept as text.
    ///
    /// Disfavoured, because a literal would otherwise be text, which is refused without a sound,
    /// and not fixed, which is checked.
    ///
    /// - Returns: Whether it was appended; false if `value` holds a control byte.
    @_disfavoredOverload
    @discardableResult
    package func field(_ name: StaticString, _ value: String) -> Bool {
        field(name, value.utf8.span)
    }

    /// Appends a field whose value is a number.
    package func field(_ name: StaticString, decimal value: Int) {
        checkName(name)
        out.append(name)
        out.append(": ")
        out.append(decimal: value)
        out.append("\r\n")
    }

    /// Appends a field whose name comes from outside, such as one that is passed on.
    ///
    /// - Returns: Whether it was appended; false if `name` is not a token or `value` holds a
    ///   control byte.
    @discardableResult
    package func field(name: Span<UInt8>, value: Span<UInt8>) -> Bool {
        guard Self.isToken(name), Self.isValue(value) else { return false }
        out.append(name)
        out.append(": ")
        out.append(value)
        out.append("\r\n")
        return true
    }

    /// Appends Content-Length.
    package func contentLength(_ bytes: Int) {
        precondition(bytes >= 0, "a length below 0 cannot be written")
        field("content-length", decimal: bytes)
    }

    /// Appends `transfer-encoding: chunked`; the body goes through `ChunkedEncoder`.
    package func chunked() {
        out.append("transfer-encoding: chunked\r\n")
    }

    /// Appends `connection: close`.
    package func connectionClose() {
        out.append("connection: close\r\n")
    }

    /// Appends Date.
    package func date(_ date: HTTPDate.Cache) {
        out.append("date: ")
        out.append(date.text.span)
        out.append("\r\n")
    }

    /// Appends the empty line.
    package func end() {
        out.append("\r\n")
    }

    private func checkName(_ name: StaticString) {
        precondition(name.utf8CodeUnitCount > 0, "a field needs a name")
        for index in 0..<name.utf8CodeUnitCount {
            precondition(ASCII.isToken(name.byte(index)), "a fixed name is not a token")
        }
    }

    private static func isValue(_ value: Span<UInt8>) -> Bool {
        var offset = value.firstControl(from: 0)
        while offset < value.count {
            guard value[offset] == ASCII.tab else { return false }
            offset = value.firstControl(from: offset + 1)
        }
        return true
    }

    private static func isToken(_ name: Span<UInt8>) -> Bool {
        guard !name.isEmpty else { return false }
        for index in 0..<name.count where !ASCII.isToken(name[index]) { return false }
        return true
    }
}
