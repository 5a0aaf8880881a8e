// SPDX-License-Identifier: Apache-2.0
import Glibc
import System

/// What /proc says about a process.
package enum ProcessFacts {
    /// Open descriptors.
    package static func descriptorCount(_ pid: Int32) -> Int {
        // Three entries are not descriptors of the process: `.`, `..`, and none for a foreign pid.
        max(0, names(in: "/proc/\(pid)/fd").count)
    }

    /// What the open descriptors refer to, sorted, for messages.
    package static func descriptorTargets(_ pid: Int32) -> [String] {
        names(in: "/proc/\(pid)/fd").compactMap { name in
            readLink("/proc/\(pid)/fd/\(name)").map { "\(name) -> \($0)" }
        }.sorted()
    }

    /// Waits until a process has no more descriptors than it had before; says which ones stayed.
    package static func waitForDescriptors(
        of pid: Int32,
        atMost before: [String],
        by deadline: Deadline = .soon
    ) throws {
        do {
            _ = try eventually("return to the descriptors of before", by: deadline) {
                descriptorCount(pid) <= before.count ? true : nil
            }
        } catch {
            let now = descriptorTargets(pid).joined(separator: "\n")
            let then = before.joined(separator: "\n")
            throw TestFailure("\(error): \(pid) had\n\(then)\nand has\n\(now)")
        }
    }

    /// Children that have not been reaped, ended ones included.
    package static func children(_ pid: Int32) -> [Int32] {
        text("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap { Int32($0) }
    }

    /// Whether the process runs: an ended one that nobody reaped does not.
    package static func isRunning(_ pid: Int32) -> Bool {
        let status = text("/proc/\(pid)/stat")
        guard let end = status.lastIndex(of: ")") else { return false }
        return !["Z", "X"].contains(status[status.index(end, offsetBy: 2)])
    }

    /// Resident memory, in bytes.
    package static func residentBytes(_ pid: Int32) -> Int { rollup(pid, "Rss:") }

    /// Resident memory with shared pages divided among their users, in bytes.
    package static func proportionalBytes(_ pid: Int32) -> Int { rollup(pid, "Pss:") }

    private static func rollup(_ pid: Int32, _ name: String) -> Int {
        for line in text("/proc/\(pid)/smaps_rollup").split(separator: "\n")
        where line.hasPrefix(name) {
            let words = line.split(separator: " ")
            if words.count == 3, let kilobytes = Int(words[1]) { return kilobytes * 1_024 }
        }
        return 0
    }

    static func text(_ path: String) -> String {
        do {
            return String(decoding: try Syscalls.contents(of: path, limit: 1 << 20), as: UTF8.self)
        } catch {
            // A process that is gone has no facts.
            return ""
        }
    }

    /// The entries of a directory but `.` and `..`; none when it cannot be read.
    static func names(in path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            // SAFETY: d_name is a NUL-terminated array within the entry, valid until the next call.
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func readLink(_ path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: 4_096)
        // SAFETY: the call writes at most the count it is given.
        let count = unsafe bytes.withUnsafeMutableBufferPointer { buffer -> Int in
            guard let base = buffer.baseAddress else { return -1 }
            return unsafe readlink(path, base, buffer.count)
        }
        guard count > 0 else { return nil }
        return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A directory of its own under /tmp, removed with all it holds.
package final class PrivateDirectory: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
        // SAFETY: the template ends with NUL and is changed in place.
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let base = buffer.baseAddress else { return false }
            return unsafe mkdtemp(base) != nil
        }
        guard made else { throw TestFailure("mkdtemp failed") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Writes a file and returns its path.
    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        // A new file that takes the old one's place at once: a reload never reads half of it.
        let fresh = "\(file).new"
        guard let stream = unsafe fopen(fresh, "w") else { throw TestFailure("no file \(fresh)") }
        let written = unsafe fputs(text, stream)
        guard unsafe fclose(stream) == 0, written >= 0, unsafe rename(fresh, file) == 0 else {
            throw TestFailure("could not write \(file)")
        }
        return file
    }

    /// Removes the directory and everything in it.
    package func remove() {
        Self.remove(path, depth: 0)
    }

    private static func remove(_ path: String, depth: Int) {
        if depth < 8, unsafe unlink(path) != 0 {
            for name in ProcessFacts.names(in: path) { remove("\(path)/\(name)", depth: depth + 1) }
            unsafe rmdir(path)
        }
    }
}

extension ProcessFacts {
    /// CPU time of the process so far, in milliseconds, to 10 ms.
    package static func processorMilliseconds(_ pid: Int32) -> Int {
        let status = text("/proc/\(pid)/stat")
        guard let end = status.lastIndex(of: ")") else { return 0 }
        let words = status[status.index(after: end)...].split(separator: " ")
        // proc_pid_stat(5): state is field 3, utime and stime are fields 14 and 15.
        guard words.count > 12, let user = Int(words[11]), let system = Int(words[12]) else {
            return 0
        }
        return (user + system) * 10
    }

    /// Bytes that the process has written so far, to whatever it was.
    package static func bytesWritten(_ pid: Int32) -> Int {
        text("/proc/\(pid)/io").split(separator: "\n").first { $0.hasPrefix("wchar: ") }
            .flatMap { Int($0.dropFirst("wchar: ".count)) } ?? 0
    }

    /// The numbers of the CPUs that this process may use; of a range the first one alone.
    package static var processors: [String] {
        let prefix = "Cpus_allowed_list:\t"
        let line = text("/proc/self/status").split(separator: "\n").first { $0.hasPrefix(prefix) }
        return (line ?? "").dropFirst(prefix.count).split(separator: ",").compactMap {
            $0.split(separator: "-").first.map { String($0) }
        }
    }

    /// The user that a process runs as.
    package static func user(_ pid: Int32) -> UInt32? {
        text("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("Uid:") }
            .flatMap { $0.split(separator: "\t").dropFirst().first }.flatMap { UInt32($0) }
    }

    /// Numbers and targets of the open descriptors.
    package static func descriptors(_ pid: Int32) -> [Int: String] {
        var result: [Int: String] = [:]
        for name in names(in: "/proc/\(pid)/fd") {
            guard let number = Int(name), let target = readLink("/proc/\(pid)/fd/\(name)") else {
                continue
            }
            result[number] = target
        }
        return result
    }
}
