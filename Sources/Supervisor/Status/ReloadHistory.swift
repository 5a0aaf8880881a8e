// SPDX-License-Identifier: Apache-2.0
import Bytes
import Metrics

/// The last changes of the fleet that were asked for: reloads, other sizes, upgrades.
struct ReloadHistory: Equatable {
    /// Entries that are kept.
    ///
    /// Limit: what somebody wants to see of a day of deployments; the log has them all.
    static let entriesMax = 20
    /// Bytes of a reason.
    ///
    /// Limit: an error of the configuration names a path and a value, which come from outside.
    static let reasonBytesMax = 512

    /// The newest one last.
    private(set) var entries: [FleetSnapshot.Reload] = []
    /// The last reload of the configuration, however many other changes followed.
    private(set) var lastReload: FleetSnapshot.Reload?

    mutating func code(_ coder: inout StateCoder) {
        let none = FleetSnapshot.Reload(
            at: 0,
            kind: .reload,
            isSuccessful: true,
            generation: 0,
            reason: "",
            durationMilliseconds: 0
        )
        coder.code(list: &entries, new: none) { Self.code(&$0, &$1) }
        coder.code(optional: &lastReload, new: none) { Self.code(&$0, &$1) }
    }

    private static func code(_ entry: inout FleetSnapshot.Reload, _ coder: inout StateCoder) {
        coder.code(&entry.at)
        coder.code(&entry.kind)
        coder.code(&entry.isSuccessful)
        coder.code(&entry.generation)
        coder.code(&entry.reason)
        coder.code(&entry.durationMilliseconds)
    }

    /// A change has ended, well or not.
    ///
    /// `at` is in seconds since 1970, `generation` the configuration in use now.
    mutating func ended(
        kind: FleetSnapshot.ReloadKind,
        at: Int,
        ok: Bool,
        generation: UInt32,
        reason: String,
        durationMilliseconds: Int
    ) {
        let entry = FleetSnapshot.Reload(
            at: at,
            kind: kind,
            isSuccessful: ok,
            generation: generation,
            reason: Self.bounded(reason),
            durationMilliseconds: durationMilliseconds
        )
        entries.append(entry)
        if entries.count > Self.entriesMax { entries.removeFirst() }
        switch kind {
        case .reload: lastReload = entry
        case .scale, .upgrade: break
        }
    }

    /// `text`, cut between two characters where it is too long.
    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > reasonBytesMax else { return text }
        var kept = ""
        var bytes = 0
        for scalar in text.unicodeScalars {
            bytes += UTF8.width(scalar)
            if bytes > reasonBytesMax { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept + "..."
    }
}
