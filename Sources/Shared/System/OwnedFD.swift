// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// A descriptor with exactly one owner: closed when the owner goes away.
package struct OwnedFD: ~Copyable {
    package let raw: Int32

    /// Takes over `raw`, which nobody else may close from here on.
    package init(owning raw: Int32) {
        precondition(raw >= 0, "an owned descriptor is not negative")
        self.raw = raw
    }

    deinit {
        _ = clinux_close(raw)
    }

    /// Gives the descriptor up without closing it.
    package consuming func release() -> Int32 {
        let descriptor = raw
        discard self
        return descriptor
    }

    /// Closes the descriptor now.
    package consuming func close() {}

    /// A second descriptor for the same open file, close-on-exec.
    ///
    /// System call: fcntl(2) F_DUPFD_CLOEXEC.
    package borrowing func duplicate() throws(Errno) -> OwnedFD {
        OwnedFD(owning: try checked(clinux_dup(raw)))
    }
}

/// Turns the shim's "value or -errno" into a value or a thrown `Errno`.
@inline(__always)
func checked(_ result: Int32) throws(Errno) -> Int32 {
    if result < 0 { throw Errno(code: -result) }
    return result
}

/// Turns the shim's "value or -errno" into a value or a thrown `Errno`.
@inline(__always)
func checked(_ result: Int) throws(Errno) -> Int {
    if result < 0 { throw Errno(code: Int32(-result)) }
    return result
}
