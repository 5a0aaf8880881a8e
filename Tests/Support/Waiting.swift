// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
package import System

/// Whether `fd` has something to read, or its end, within the time.
package func isReadable(_ fd: Int32, withinMilliseconds milliseconds: Int32 = 5000) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    // SAFETY: the call reads and writes the one entry.
    return unsafe poll(&entry, 1, milliseconds) > 0
}

/// A program that ran to its end.
package struct FinishedProgram: Equatable {
    package var output: String
    /// Nil when it did not end in time; it was killed then.
    package var exit: ProcessExit?
}

/// Runs a program with /dev/null as input and collects what it writes to output and `errors`.
package func runProgram(
    _ path: String,
    _ arguments: [String] = [],
    environment: [String] = [],
    descriptors: [InheritedFD] = [],
    ownGroup: Bool = false
) throws -> FinishedProgram {
    let pipe = try Syscalls.pipe()
    let input = try Syscalls.openForReading("/dev/null")
    let pid = try Syscalls.spawn(
        path,
        arguments: [path] + arguments,
        environment: environment,
        descriptors: [
            InheritedFD(source: input.raw, target: 0),
            InheritedFD(source: pipe.second.raw, target: 1),
            InheritedFD(source: pipe.second.raw, target: 2),
        ] + descriptors,
        ownGroup: ownGroup
    )
    let pidfd = try Syscalls.pidfd(pid)
    let reading = pipe.takeFirst()
    let buffer = ByteBuffer()
    while isReadable(reading.raw) {
        guard case .bytes = Syscalls.read(reading.raw, into: buffer, minimum: 4096) else { break }
    }
    return FinishedProgram(output: buffer.text, exit: try waitForExit(pidfd.raw))
}

/// How the process behind `pidfd` ends; it is killed when that takes too long.
package func waitForExit(
    _ pidfd: Int32,
    withinMilliseconds milliseconds: Int32 = 5000
) throws -> ProcessExit? {
    if !isReadable(pidfd, withinMilliseconds: milliseconds) {
        try Syscalls.signal(pidfd: pidfd, .kill)
        _ = isReadable(pidfd)
    }
    return try Syscalls.reap(pidfd: pidfd)
}

/// The numbers of this process's open descriptors.
package func openDescriptors() throws -> [Int32] {
    // SAFETY: the directory is opened, read and closed here alone.
    guard let directory = unsafe opendir("/proc/self/fd") else { throw Errno.noEntry }
    let own = unsafe dirfd(directory)
    var numbers: [Int32] = []
    while let entry = unsafe readdir(directory) {
        // SAFETY: the entry is valid until the next readdir; its name ends with NUL.
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                unsafe String(cString: $0)
            }
        }
        if let number = Int32(name), number != own { numbers.append(number) }
    }
    unsafe closedir(directory)
    return numbers.sorted()
}
