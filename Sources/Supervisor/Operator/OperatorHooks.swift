// SPDX-License-Identifier: Apache-2.0
import System

/// What the supervisor does for operators.
///
/// Each hook calls `done` exactly once, at once or later, also when the operator has left. What
/// still runs when the supervisor ends is answered by it.
struct OperatorHooks {
    typealias Done = (OperatorReply) -> Void

    /// Reads the configuration and replaces the workers.
    var reload: (_ done: @escaping Done) -> Void = { $0(.failed(unavailable)) }
    /// Runs so many workers.
    var scale: (_ count: Int, _ done: @escaping Done) -> Void = { $1(.failed(unavailable)) }
    /// Ends the supervisor: after what runs, or now.
    var stop: (_ now: Bool, _ done: @escaping Done) -> Void = { $1(.failed(unavailable)) }
    /// Goes on with the program on disk, in the same process; that program answers on `connection`, a
    /// descriptor of its own that outlives an operator who leaves.
    var upgrade: (_ connection: consuming OwnedFD, _ done: @escaping Done) -> Void = { _, done in
        done(.failed(unavailable))
    }
    /// How far the operation is, in a few words.
    var progress: (OperatorRequest) -> String = { _ in "" }

    private static let unavailable = "not available"
}
