// SPDX-License-Identifier: Apache-2.0

/// What an operator asks a running supervisor for: one line, the only one of its connection.
///
///     apus/1 reload
///     apus/1 scale 5
///     apus/1 stop [now]
///     apus/1 upgrade
enum OperatorRequest: Equatable {
    case reload
    /// So many workers.
    case scale(Int)
    /// Finish what runs first, unless `now`.
    case stop(now: Bool)
    case upgrade

    /// Why a line is no request.
    enum Fault: Error, Equatable {
        /// Another release speaks there; the number that it gave.
        case version(String)
        case malformed

        var text: String {
            switch self {
            case .version(let given):
                "this supervisor speaks version \(OperatorRequest.version) of the operator "
                    + "protocol, not \(given): use the apus command of its release"
            case .malformed:
                "not a request of the operator protocol"
            }
        }
    }

    /// Changes with everything that an older or newer side would misunderstand.
    static let version = 1
    /// Bytes of a request line.
    static let bytesMax = 64

    init(line: String) throws(Fault) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard let first = words.first, first.hasPrefix("apus/") else { throw .malformed }
        let version = first.dropFirst("apus/".count)
        guard version == "\(Self.version)" else {
            throw .version(PlainText.printable("\(version)"))
        }
        switch (words.dropFirst().first, words.count) {
        case ("reload", 2): self = .reload
        case ("stop", 2): self = .stop(now: false)
        case ("stop", 3) where words[2] == "now": self = .stop(now: true)
        case ("upgrade", 2): self = .upgrade
        case ("scale", 3):
            guard let count = Self.count(words[2]) else { throw .malformed }
            self = .scale(count)
        default: throw .malformed
        }
    }

    /// A number of digits only; nil for what no number of workers is.
    private static func count(_ text: String) -> Int? {
        guard text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let count = Int(text),
            (1...FleetMachine.workersMax).contains(count)
        else { return nil }
        return count
    }

    /// The line, without its end.
    var line: String {
        let words =
            switch self {
            case .reload: "reload"
            case .scale(let count): "scale \(count)"
            case .stop(now: false): "stop"
            case .stop(now: true): "stop now"
            case .upgrade: "upgrade"
            }
        return "apus/\(Self.version) \(words)"
    }
}

/// What the supervisor says to an operator, one line each.
///
///     note TEXT      how far it is; comes every second, so that silence means trouble
///     line TEXT      a detail of the result
///     ok TEXT        the result; nothing follows
///     failed TEXT    the result; nothing follows
enum OperatorMessage: Equatable {
    case note(String)
    case line(String)
    case ok(String)
    case failed(String)

    /// Bytes of such a line.
    ///
    /// Limit: an error of a configuration quotes at most a line of it.
    static let bytesMax = 16 << 10

    /// Nil for a line that this release does not know.
    init?(line: String) {
        let space = line.firstIndex(of: " ") ?? line.endIndex
        let text = String(line[space...].dropFirst())
        switch line[..<space] {
        case "note": self = .note(text)
        case "line": self = .line(text)
        case "ok": self = .ok(text)
        case "failed": self = .failed(text)
        default: return nil
        }
    }

    /// The line, without its end; control characters of the text become question marks.
    var line: String {
        switch self {
        case .note(let text): Self.line("note", text)
        case .line(let text): Self.line("line", text)
        case .ok(let text): Self.line("ok", text)
        case .failed(let text): Self.line("failed", text)
        }
    }

    private static func line(_ word: String, _ text: String) -> String {
        let line = "\(word) \(PlainText.printable(text))"
        guard line.utf8.count >= bytesMax else { return line }
        // Whole characters only: the first one that does not fit ends it.
        return String(decoding: line.utf8.prefix(bytesMax - 4), as: UTF8.self)
    }
}

/// How an operation ended.
struct OperatorReply: Equatable {
    let ok: Bool
    /// One sentence.
    let text: String
    /// Details, such as one line per error of a configuration.
    let lines: [String]

    init(ok: Bool, text: String, lines: [String] = []) {
        self.ok = ok
        self.text = text
        self.lines = lines
    }

    static func done(_ text: String) -> OperatorReply { OperatorReply(ok: true, text: text) }

    static func failed(_ text: String, lines: [String] = []) -> OperatorReply {
        OperatorReply(ok: false, text: text, lines: lines)
    }

    var messages: [OperatorMessage] {
        lines.map { .line($0) } + [ok ? .ok(text) : .failed(text)]
    }
}

/// Cuts received bytes into lines, however they arrive.
struct OperatorLines: Equatable {
    /// The line is longer than it may be.
    struct TooLong: Error, Equatable {}

    private let bytesMax: Int
    private var partial: [UInt8] = []

    /// `bytesMax`: bytes of a line without its end.
    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Takes one byte more.
    ///
    /// Returns the line that it ends.
    mutating func append(_ byte: UInt8) throws(TooLong) -> String? {
        guard byte != 0x0A else {
            defer { partial.removeAll(keepingCapacity: true) }
            return String(decoding: partial, as: UTF8.self)
        }
        guard partial.count < bytesMax else { throw TooLong() }
        partial.append(byte)
        return nil
    }
}
