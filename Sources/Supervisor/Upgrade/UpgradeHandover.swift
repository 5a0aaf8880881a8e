// SPDX-License-Identifier: Apache-2.0
import System

/// How one program passes the process on to the next: variables of the environment.
enum UpgradeHandover {
    /// Number of the descriptor with the state.
    static let stateVariable = "APUS_UPGRADE_STATE"
    /// Set to have the program say whether it could take over, and do nothing else.
    static let checkVariable = "APUS_UPGRADE_CHECK"
    /// Number of the descriptor with the configuration in use, for the check.
    ///
    /// Not the file's: it is what the next program begins with, and without it nothing serves.
    static let configurationVariable = "APUS_UPGRADE_CONFIGURATION"
    /// That number in the process of the check.
    static let configurationDescriptor: Int32 = 3
    /// What a program that could take over says first.
    static let word = "apus-upgrade"

    /// Ten thousand connections and all counts take 3 MiB.
    private static let stateBytesMax = 256 << 20

    enum Taken {
        /// This is a start like any other.
        case nothing
        case state(UpgradeState)
        /// A state was announced that cannot be read.
        case broken
    }

    static func isCheck(_ environment: [String]) -> Bool {
        WorkerEnvironment.value(of: checkVariable, in: environment) == "1"
    }

    /// Why this program cannot begin with the configuration in use; nil when it can, or when it was
    /// not shown.
    static func problemWithConfiguration(_ environment: [String]) -> String? {
        guard let text = WorkerEnvironment.value(of: configurationVariable, in: environment) else {
            return nil
        }
        guard let number = Int32(text), number > 2,
            ConfigurationFile.settings(descriptor: number) != nil
        else { return "version \(Version.text) cannot read the configuration in use" }
        return nil
    }

    /// The line that answers a check.
    static var answer: String { "\(word) \(UpgradeState.format) \(Version.text)" }

    /// Why the program that answered `line` cannot take over; nil when it can.
    static func problem(answer line: String) -> String? {
        let words = line.split(separator: " ")
        guard words.count == 3, words[0] == word else {
            return "the program on disk does not know how to take over"
        }
        guard words[1] == UpgradeState.format else {
            return "version \(words[2]) cannot take over from \(Version.text): restart instead"
        }
        return nil
    }

    /// The state that the program before this one left, if there was one.
    static func take(_ environment: [String]) -> Taken {
        guard let text = WorkerEnvironment.value(of: stateVariable, in: environment) else {
            return .nothing
        }
        guard let number = Int32(text), number > 2 else { return .broken }
        do throws(Errno) {
            let fd = OwnedFD(owning: number)
            let bytes = try Syscalls.contents(of: fd.raw, limit: stateBytesMax)
            guard let state = UpgradeState(decoding: bytes) else { return .broken }
            // No worker may inherit them from here on.
            for descriptor in state.descriptors {
                try Syscalls.setCloseOnExec(descriptor, true)
            }
            return .state(state)
        } catch {
            return .broken
        }
    }

    /// The environment without what was meant for this program alone.
    static func cleaned(_ environment: [String]) -> [String] {
        environment.filter { entry in
            ![stateVariable, checkVariable, configurationVariable].contains {
                entry.hasPrefix($0 + "=")
            }
        }
    }
}
