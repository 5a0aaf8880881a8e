// SPDX-License-Identifier: Apache-2.0
import System

/// Turns status documents into what stands on standard output.
final class StatusView {
    private let address: SocketAddress
    private let showsJSON: Bool
    /// Redraws the terminal's screen.
    private let isLive: Bool
    /// One line per document, where `isLive` is not possible.
    private let isLine: Bool
    private let output: TextOutput
    private var isScreenTaken = false
    /// Whether colours are wanted; the live view has no other use for them than the fleet picture.
    private let isColoured: Bool
    private var trend = StatusTrend()

    /// The alternate screen, so that what stood there comes back; no cursor; long lines are cut,
    /// not wrapped, since a wrapped one would scroll the rest away.
    private static let takeScreen = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"
    private static let giveScreen = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    init(
        address: SocketAddress,
        showsJSON: Bool,
        isLive: Bool,
        isLine: Bool,
        isColoured: Bool = false,
        output: TextOutput = .standard
    ) {
        self.address = address
        self.showsJSON = showsJSON
        self.isLive = isLive
        self.isLine = isLine
        self.isColoured = isColoured
        self.output = output
    }

    /// Shows a document that came at `now`.
    ///
    /// Returns false when it is none of Apus's, or nobody reads any more.
    func show(_ document: [UInt8], now: UInt64) -> Bool {
        guard let status = StatusReader(document), StatusTables.isStatus(status) else {
            return false
        }
        if showsJSON {
            output.write(document)
            return true
        }
        trend.add(status, now: now)
        let tables = StatusTables(
            status,
            address: "\(address)",
            trend: trend,
            isColoured: isLive && isColoured
        )
        if isLive {
            draw(tables.lines)
        } else if isLine {
            output.write(tables.line + "\n")
        } else {
            output.write(tables.lines.joined(separator: "\n") + "\n")
        }
        return true
    }

    /// Shows that nobody answers at present.
    func showFailure(_ text: String) {
        trend.reset()
        if isLive {
            draw([text, "", "Trying again every second. Ctrl-C ends."])
        } else {
            TextOutput.error.write("apus: \(text)\n")
        }
    }

    private func draw(_ lines: [String]) {
        var text = isScreenTaken ? "" : Self.takeScreen
        isScreenTaken = true
        text += "\u{1B}[H"
        let rows = Syscalls.terminalSize(output.descriptor)?.rows ?? .max
        for line in Self.fit(lines, rows: rows) { text += line + "\u{1B}[K\n" }
        output.write(text + "\u{1B}[J")
    }

    /// What of `lines` fits above the cursor's own row; the last line tells when something is missing.
    static func fit(_ lines: [String], rows: Int) -> [String] {
        guard lines.count > rows - 1 else { return lines }
        let shown = max(0, rows - 2)
        return lines.prefix(shown) + ["(\(lines.count - shown) more lines)"]
    }

    /// Gives the terminal back as it was.
    func end() {
        guard isScreenTaken else { return }
        isScreenTaken = false
        output.write(Self.giveScreen)
    }
}
