// SPDX-License-Identifier: Apache-2.0
import Scoreboard

/// Whether one worker gets on, judged by evidence.
///
/// Pure. A loop that does not turn is no proof: a process can be stopped by an operator, frozen or
/// throttled by its cgroup, or starved of CPU on a machine that has too much to do, and killing it
/// then makes things worse. So time is added up in which it could have gone on and did not.
struct HangWatch: Equatable {
    /// What was seen at one look.
    struct Look: Equatable {
        var load = WorkerLoad()
        var state = ProcessState.sleeping
        /// Nanoseconds of CPU time, of the process's whole life.
        var processor: UInt64 = 0
        /// The cgroup froze it, or took its CPU time for much of the time since the last look.
        var isHeldBack = false
        /// Clients wait for it: requests are under way, or connections were taken back from it.
        var owesClients = false
    }

    enum ProcessState: Equatable {
        case running, sleeping
        /// Waits for a device.
        case waiting
        /// By SIGSTOP.
        case stopped
        /// By a debugger.
        case traced
    }

    enum Verdict: Equatable {
        case fine
        /// Nothing has moved since the last look.
        case suspicious
        /// It does not get on, and nothing excuses it.
        case hung
        /// Somebody stopped it, and clients wait.
        case stopped
    }

    /// Time without a sign of life for which it has no excuse.
    private(set) var blamed: UInt64 = 0
    private(set) var stoppedFor: UInt64 = 0
    private var turns: UInt64?
    private var processor: UInt64 = 0

    /// A look at the worker, `elapsed` nanoseconds after the last one.
    ///
    /// `isLate` says that the supervisor itself was held up since, so that nothing follows from the
    /// time that has passed.
    mutating func looked(
        _ look: Look,
        elapsed: UInt64,
        isLate: Bool,
        limit: UInt64
    ) -> Verdict {
        defer {
            turns = look.load.turns
            processor = look.processor
        }
        guard let turns, !isLate else { return .fine }
        if look.state == .stopped {
            blamed = 0
            stoppedFor += elapsed
            return stoppedFor >= limit && look.owesClients ? .stopped : .suspicious
        }
        stoppedFor = 0
        let isStuck = look.load.turnStartedAt > 0 && look.load.turns == turns
        guard isStuck else {
            blamed = 0
            return .fine
        }
        guard look.state != .traced, !look.isHeldBack else { return .suspicious }
        switch look.state {
        case .running:
            // Of a busy machine it gets a share; only that counts.
            let used = look.processor - min(processor, look.processor)
            blamed += min(elapsed, used)
        case .sleeping, .waiting:
            blamed += elapsed
        case .stopped, .traced:
            break
        }
        return blamed >= limit ? .hung : .suspicious
    }
}

extension HangWatch.ProcessState {
    /// The state letter of /proc/PID/stat.
    ///
    /// proc_pid_stat(5).
    init(letter: Character?) {
        switch letter {
        case "R": self = .running
        case "D": self = .waiting
        case "T": self = .stopped
        case "t": self = .traced
        // S, I, and Z, whose exit is about to be noticed.
        case .some, .none: self = .sleeping
        }
    }
}
