// SPDX-License-Identifier: Apache-2.0
import Log
import Metrics
import Scoreboard
import System

/// What the log says about single workers.
extension Fleet {
    /// A line of a worker that is not of its own log: a trap of the runtime, or words of a library.
    func logOutput(_ text: Span<UInt8>, isCut: Bool, _ worker: WorkerProcess) {
        log.warning("a worker printed") { record in
            Self.append(worker, to: &record)
            record.field("text", text)
            if isCut { record.field("cut", true) }
        }
    }

    func logHeldBack(_ worker: WorkerProcess) {
        log.warning("a worker prints too much: its output is held back") { record in
            Self.append(worker, to: &record)
            record.field("lines_per_second", OutputAllowance.linesMax)
        }
    }

    func logExit(
        _ end: WorkerEnd,
        _ worker: WorkerProcess,
        _ reason: FleetSnapshot.RestartReason?
    ) {
        let level = reason == nil ? log.info : log.warning
        level("worker exited") { record in
            Self.append(worker, to: &record)
            switch end.exit {
            case .exited(let code): record.field("code", Int(code))
            case .signaled(let signal): record.field("signal", Int(signal))
            case .unknown: record.field("status", "unknown")
            }
            if let reason { record.field("reason", reason.label) }
            guard reason != nil else { return }
            if let id = end.note.requestID { record.field("request_id", id) }
            if !end.note.backtrace.isEmpty {
                record.field("backtrace", end.note.backtrace.joined(separator: " "))
            }
            if !end.output.isEmpty { record.field("output", end.output.span) }
        }
    }

    private static func append(_ worker: WorkerProcess, to record: inout LogRecord) {
        record.field("slot", worker.slot)
        record.field("generation", Int(worker.generation))
        record.field("worker_pid", Int(worker.pid))
    }
}
