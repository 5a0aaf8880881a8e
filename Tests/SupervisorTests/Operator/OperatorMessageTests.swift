// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

@testable import Supervisor

@Suite struct OperatorMessageTests {
    private static let requests: [OperatorRequest] = [
        .reload, .scale(1), .scale(256), .stop(now: false), .stop(now: true), .upgrade,
    ]

    @Test("A request survives its line, wherever the line is cut", arguments: requests)
    func request(_ request: OperatorRequest) throws {
        #expect(try OperatorRequest(line: request.line) == request)
        let bytes = Array("\(request.line)\nrest".utf8)
        #expect(
            agreesAtEverySplit(bytes) { pieces in
                Self.lines(pieces, bytesMax: OperatorRequest.bytesMax)
            }
        )
        #expect(Self.lines([bytes[...]], bytesMax: 64) == .lines([request.line]))
    }

    /// What came out of the pieces.
    private enum Cut: Equatable {
        case lines([String])
        case tooLong(after: [String])
    }

    private static func lines(_ pieces: [ArraySlice<UInt8>], bytesMax: Int) -> Cut {
        var decoder = OperatorLines(bytesMax: bytesMax)
        var lines: [String] = []
        do throws(OperatorLines.TooLong) {
            for piece in pieces {
                for byte in piece {
                    if let line = try decoder.append(byte) { lines.append(line) }
                }
            }
        } catch {
            return .tooLong(after: lines)
        }
        return .lines(lines)
    }

    private static let refused: [(line: String, fault: OperatorRequest.Fault)] = [
        ("", .malformed),
        ("reload", .malformed),
        ("GET / HTTP/1.1\r", .malformed),
        ("apus/1", .malformed),
        ("apus/1 ", .malformed),
        ("apus/1 reload ", .malformed),
        ("apus/1  reload", .malformed),
        ("apus/1 scale 0", .malformed),
        ("apus/1 scale 1025", .malformed),
        ("apus/1 scale 18446744073709551616", .malformed),
        ("apus/1 reload\r", .malformed),
        ("apus/1 reload now", .malformed),
        ("apus/1 Reload", .malformed),
        ("apus/1 scale", .malformed),
        ("apus/1 scale x", .malformed),
        ("apus/1 scale +5", .malformed),
        ("apus/1 scale -5", .malformed),
        ("apus/1 scale 5 5", .malformed),
        ("apus/1 scale 99999999999999999999", .malformed),
        ("apus/1 stop later", .malformed),
        ("apus/1 stop now now", .malformed),
        ("apus/1 kill", .malformed),
        ("apus/2 reload", .version("2")),
        ("apus/2 something newer", .version("2")),
        ("apus/01 reload", .version("01")),
        ("apus/ reload", .version("")),
        ("apus/\u{1B}[2J reload", .version("?[2J")),
        ("\u{0}\u{1}\u{2}", .malformed),
    ]

    @Test("What is no request says why", arguments: refused)
    func refuses(line: String, fault: OperatorRequest.Fault) {
        #expect(throws: fault) { try OperatorRequest(line: line) }
    }

    @Test("Another version is told which one is spoken here")
    func version() {
        let text = OperatorRequest.Fault.version("7").text
        #expect(text.contains("version 1") && text.contains("not 7"))
    }

    private static let messages: [OperatorMessage] = [
        .note("draining: 3 connections of 2 workers"), .line("a.json:1:2: workers: no number"),
        .ok("reloaded: generation 3, 5 workers replaced in 840 ms"), .failed("stopping"),
        .ok(""), .note("ünïcode → fine"),
    ]

    @Test("A message survives its line, wherever the line is cut", arguments: messages)
    func message(_ message: OperatorMessage) {
        #expect(OperatorMessage(line: message.line) == message)
        let bytes = Array("\(message.line)\n\(message.line)\n".utf8)
        #expect(
            agreesAtEverySplit(bytes) { pieces in
                Self.lines(pieces, bytesMax: OperatorMessage.bytesMax)
            }
        )
        #expect(Self.lines([bytes[...]], bytesMax: 999) == .lines([message.line, message.line]))
    }

    @Test("Lines of other protocols are no messages", arguments: ["", "okay x", "HTTP/1.1 200 OK"])
    func foreign(line: String) {
        #expect(OperatorMessage(line: line) == nil)
    }

    @Test("A text cannot end its line or steer a terminal, and has a limit")
    func printable() {
        #expect(OperatorMessage.ok("a\nfailed b\u{1B}[2J").line == "ok a?failed b?[2J")
        let long = OperatorMessage.line(String(repeating: "ü", count: 20_000)).line
        #expect(long.utf8.count < OperatorMessage.bytesMax)
        #expect(long.hasPrefix("line üüü"))
    }

    @Test("A line has a limit, whether its end ever comes or not")
    func tooLong() {
        let line = String(repeating: "a", count: 64)
        let fits = Array("\(line)\n".utf8)
        #expect(Self.lines([fits[...]], bytesMax: 64) == .lines([line]))
        let over = Array("x\n".utf8) + [UInt8](repeating: 0xFF, count: 65)
        #expect(Self.lines([over[...]], bytesMax: 64) == .tooLong(after: ["x"]))
        #expect(agreesAtEverySplit(over) { Self.lines($0, bytesMax: 64) })
    }

    @Test("A result is its details and then its end")
    func reply() {
        let reply = OperatorReply.failed("no", lines: ["a", "b"])
        #expect(reply.messages == [.line("a"), .line("b"), .failed("no")])
        #expect(OperatorReply.done("yes").messages == [.ok("yes")])
    }
}
