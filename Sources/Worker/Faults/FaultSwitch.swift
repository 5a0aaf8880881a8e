// SPDX-License-Identifier: Apache-2.0
#if DEBUG
/// What a debug build can be told to do wrong, so that tests see how the supervisor takes it.
enum Fault: String, CaseIterable {
    /// Exits with 1 before it is ready.
    case bootExit = "boot_exit"
    /// Exits as for a configuration that is not usable.
    case bootExitConfiguration = "boot_exit_78"
    /// Never gets ready.
    case bootHang = "boot_hang"
    /// Is ready in another version of the protocol.
    case badVersion = "bad_version"
    /// Answers GET /health with 500.
    case probeFail = "probe_fail"
    /// Is killed between receiving a connection and reading from it.
    case afterReceiveExit = "after_receive_exit"
    case garbageControl = "garbage_control"
    case emptyControl = "empty_control"
    /// Sends descriptors with a message that has none.
    case surplusDescriptors = "surplus_descriptors"
    case oversizeControl = "oversize_control"
    /// Hands over a connection, which is the supervisor's part.
    case handedConnection = "handed_connection"
    case metricsGarbage = "metrics_garbage"
    case metricsFlood = "metrics_flood"
    case stdoutFlood = "stdout_flood"
    /// Never says that it has received a connection.
    case noReports = "no_reports"
    /// Serves `/fault/…`; see `FaultPath`.
    case paths
}

/// The faults that one worker has been told to have.
///
/// Written as names with commas between them; `:slot=N` and `:generation=N` behind a name limit it
/// to some workers.
struct FaultSwitch: Equatable {
    private(set) var faults: Set<Fault> = []

    init() {}

    /// Reads `text`; nil when it names what does not exist.
    init?(_ text: String, slot: Int, generation: UInt32) {
        for entry in text.split(separator: ",") {
            let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
            guard let fault = Fault(rawValue: String(parts[0])) else { return nil }
            var isMeant = true
            for limit in parts.dropFirst() {
                let sides = limit.split(separator: "=", omittingEmptySubsequences: false)
                guard sides.count == 2, let number = UInt32(sides[1]) else { return nil }
                switch sides[0] {
                case "slot": isMeant = isMeant && Int(number) == slot
                case "generation": isMeant = isMeant && number == generation
                default: return nil
                }
            }
            if isMeant { faults.insert(fault) }
        }
    }

    func has(_ fault: Fault) -> Bool { faults.contains(fault) }
}

/// What a request can ask a worker to do wrong.
enum FaultPath: Equatable {
    case segv, abort, trap, exit, spin
    /// Keeps so much more memory.
    case leak(mebibytes: Int)

    init?(path: String, query: String) {
        switch path {
        case "/fault/segv": self = .segv
        case "/fault/abort": self = .abort
        case "/fault/trap": self = .trap
        case "/fault/exit": self = .exit
        case "/fault/spin": self = .spin
        case "/fault/leak":
            guard let mebibytes = Int(query), (1...4096).contains(mebibytes) else { return nil }
            self = .leak(mebibytes: mebibytes)
        default: return nil
        }
    }
}
#endif
