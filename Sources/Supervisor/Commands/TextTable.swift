// SPDX-License-Identifier: Apache-2.0

/// Columns of text, as wide as their longest cell.
struct TextTable {
    /// A heading; columns of numbers stand on the right.
    struct Column {
        let heading: String
        var isNumber = true
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    var isEmpty: Bool { rows.isEmpty }

    /// Adds a row with a cell per column.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a row with \(cells.count) cells")
        rows.append(cells)
    }

    /// The heading and the rows, without spaces at line ends.
    var lines: [String] {
        let all = [columns.map(\.heading)] + rows
        let widths = columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { cells in
            var line = ""
            for (column, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += columns[column].isNumber ? padding + cell : cell + padding
                line += "  "
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

/// Numbers for people.
enum Shown {
    /// What stands for a value that is not known.
    static let unknown = "-"

    /// A name of the status document in words: `boot failed`.
    static func words(_ name: String) -> String {
        String(name.map { $0 == "_" ? " " : $0 })
    }

    static func count(_ value: Int?) -> String { value.map { "\($0)" } ?? unknown }

    /// A span of time by its two largest units: `3d 4h`, `12m 5s`, `8s`.
    static func span(seconds: Int?) -> String {
        guard let seconds else { return unknown }
        let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]
        var rest = max(0, seconds)
        var parts: [String] = []
        for (name, size) in units {
            if rest >= size || (name == "s" && parts.isEmpty) {
                parts.append("\(rest / size)\(name)")
            }
            rest %= size
            if parts.count == 2 || (!parts.isEmpty && rest == 0) { break }
        }
        return parts.joined(separator: " ")
    }

    /// Bytes in the binary unit that leaves one to four digits: `512 B`, `11.7 MiB`.
    static func size(bytes: Int?) -> String {
        guard let bytes else { return unknown }
        var value = Double(bytes)
        var names = ["B", "KiB", "MiB", "GiB"][...]
        while value >= 1024, names.count > 1 {
            value /= 1024
            names.removeFirst()
        }
        let name = names.first ?? ""
        return name == "B" ? "\(bytes) B" : "\(decimal(value, digits: 1)) \(name)"
    }

    /// A latency with about three digits: `0.04 ms`, `12.3 ms`, `1.25 s`.
    static func latency(milliseconds: Double?) -> String {
        guard let milliseconds else { return unknown }
        if milliseconds >= 1000 { return "\(decimal(milliseconds / 1000, digits: 2)) s" }
        let digits = milliseconds < 10 ? 2 : (milliseconds < 100 ? 1 : 0)
        return "\(decimal(milliseconds, digits: digits)) ms"
    }

    /// `value`, which is not negative, rounded to `digits` decimals.
    static func decimal(_ value: Double, digits: Int) -> String {
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        // Beyond this a double has no decimals to show.
        let scaled = Int(min(max(value, 0) * Double(scale), 1e15).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = "\(scaled % scale)"
        return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }
}
