// SPDX-License-Identifier: Apache-2.0
#if DEBUG
import System

/// System calls that a debug build of the supervisor makes fail, so that tests see how it goes on.
///
/// Written as `call:errno:count` with commas between them: the next `count` calls give `errno`.
enum SupervisorFaults {
    private static let variable = "APUS_FAULT="

    /// Forces what the environment names; false when it names what does not exist.
    static func force(environment: [String]) -> Bool {
        guard let entry = environment.first(where: { $0.hasPrefix(variable) }) else { return true }
        for text in entry.dropFirst(variable.count).split(separator: ",") {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 3, let call = call(parts[0]), let errno = Int32(parts[1]),
                let count = Int32(parts[2])
            else { return false }
            Syscalls.forceErrno(call, Errno(code: errno), count: count)
        }
        return true
    }

    private static func call(_ name: Substring) -> Syscalls.ForcedCall? {
        switch name {
        case "accept": .accept
        case "epoll_ctl": .epollControl
        case "pidfd_open": .pidfdOpen
        case "sendmsg": .sendMessage
        case "spawn": .spawn
        default: nil
        }
    }
}
#endif
