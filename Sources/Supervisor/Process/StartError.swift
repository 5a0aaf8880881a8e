// SPDX-License-Identifier: Apache-2.0
import System

/// Why the supervisor cannot run.
enum StartError: Error, Equatable, CustomStringConvertible {
    case listen(ListenError)
    case runtime(RuntimeDirectoryError)
    case system(SystemError)
    /// What the program before this one left cannot be used.
    case inheritance

    var exitCode: Int32 {
        switch self {
        case .listen: ExitCode.unavailable
        case .runtime(let error): error.exitCode
        case .system, .inheritance: ExitCode.failure
        }
    }

    var description: String {
        switch self {
        case .listen(let error): "\(error)"
        case .runtime(let error): "\(error)"
        case .system(let error): "\(error)"
        case .inheritance: "the state of the program before this one cannot be used"
        }
    }
}
