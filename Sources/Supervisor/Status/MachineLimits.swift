// SPDX-License-Identifier: Apache-2.0
import System

/// What the machine and the control group allow, for the status plane.
enum MachineLimits {
    /// Each of these files holds one number, /proc/self/cgroup a line per controller.
    private static let fileBytesMax = 64 << 10

    /// Connections that the kernel lets wait for accept(2), at most.
    ///
    /// listen(2).
    static func somaxconn() -> UInt64? {
        text("/proc/sys/net/core/somaxconn").flatMap(number)
    }

    /// The tightest limit on memory of the own control group and those above it, in bytes.
    ///
    /// Nil for none. cgroups(7).
    static func memoryBytes() -> UInt64? {
        guard let selfCgroup = text("/proc/self/cgroup") else { return nil }
        return CgroupText.directories(selfCgroup)
            .filter(\.isVersion2)
            .compactMap { text($0.path + "/memory.max").flatMap(number) }
            .min()
    }

    /// A number and the end of a line; nil for `max`, which means no limit.
    static func number(_ text: String) -> UInt64? {
        UInt64(text.prefix { !$0.isWhitespace })
    }

    private static func text(_ path: String) -> String? {
        do throws(Errno) {
            let bytes = try Syscalls.contents(of: path, limit: fileBytesMax)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            // The root group has no limits, and a container may not show the groups above it.
            return nil
        }
    }
}
