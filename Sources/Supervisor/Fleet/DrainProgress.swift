// SPDX-License-Identifier: Apache-2.0
import Scoreboard

/// How far a drain is, for people and the service manager.
struct DrainProgress: Equatable {
    /// Still serves, with failing health checks.
    var isLameDuck = false
    var streams = 0
    var connections = 0
    /// Seconds since the oldest stream that runs began; nil without streams.
    var oldestStreamSeconds: Int?
    /// Seconds until nothing may run any more.
    var secondsLeft = 0

    init() {}

    /// Nil while the fleet does not stop.
    init?(_ fleet: Fleet, now: UInt64) {
        let end: UInt64
        switch fleet.machine.state {
        case .lameDuck(let until):
            isLameDuck = true
            end = until
        case .draining(let deadline), .stopping(let deadline, _):
            end = deadline
        case .starting, .running, .rolling, .stopped:
            return nil
        }
        var oldest = UInt64.max
        for process in fleet.processes.values {
            let load = process.scoreboard.load
            streams += load.streams
            connections += load.connections
            if load.oldestStream > 0 { oldest = min(oldest, load.oldestStream) }
        }
        if oldest < now, streams > 0 {
            oldestStreamSeconds = Int((now - oldest) / 1_000_000_000)
        }
        secondsLeft = Int((end - min(now, end)) / 1_000_000_000)
    }

    /// One line.
    var text: String {
        if isLameDuck {
            return "lame duck: health checks fail, the drain begins in \(secondsLeft) s"
        }
        var parts = ["\(streams) \(streams == 1 ? "stream" : "streams")"]
        if let oldestStreamSeconds { parts.append("oldest \(oldestStreamSeconds) s") }
        parts.append("\(connections) \(connections == 1 ? "connection" : "connections")")
        return "draining: \(parts.joined(separator: ", ")), hard stop in \(secondsLeft) s"
    }
}
