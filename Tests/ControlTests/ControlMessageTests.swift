// SPDX-License-Identifier: Apache-2.0
import Bytes
import Control
import Support
import Testing

struct MessageCase: CustomTestStringConvertible, Sendable {
    let name: String
    let message: ControlMessage
    let bytes: [UInt8]
    var testDescription: String { name }
}

struct RejectCase: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    let error: ControlError
    var testDescription: String { name }
}

private func header(
    kind: UInt8,
    count: UInt16 = 0,
    argument: UInt64 = 0,
    magic: UInt16 = 0x5041,
    version: UInt8 = 2,
    reserved: UInt16 = 0
) -> [UInt8] {
    let buffer = ByteBuffer()
    buffer.append(littleEndian: magic)
    buffer.append(version)
    buffer.append(kind)
    buffer.append(littleEndian: count)
    buffer.append(littleEndian: reserved)
    buffer.append(littleEndian: argument)
    return buffer.array
}

@Suite struct ControlMessageTests {
    static let cases = [
        MessageCase(
            name: "one connection",
            message: .connections([
                HandedConnection(id: 0x0102_0304, listener: 5, isKept: true, record: 0x0607)
            ]),
            bytes: header(kind: 1, count: 1) + [4, 3, 2, 1, 5, 1, 7, 6]
        ),
        MessageCase(
            name: "most connections",
            message: .connections(
                (0..<16).map {
                    HandedConnection(id: UInt32($0), listener: .max, isKept: false, record: .max)
                }
            ),
            bytes: header(kind: 1, count: 16)
                + (0..<16).flatMap { [UInt8($0), 0, 0, 0, 255, 0, 255, 255] }
        ),
        MessageCase(
            name: "drain",
            message: .drain(DrainOrder(softMilliseconds: 60_000, hardMilliseconds: 90_000)),
            bytes: header(kind: 2, argument: 60_000 | 90_000 << 32)
        ),
        MessageCase(
            name: "drain, largest values",
            message: .drain(
                DrainOrder(
                    softMilliseconds: .max,
                    hardMilliseconds: .max,
                    spreadMilliseconds: .max,
                    returnsIdle: true
                )
            ),
            bytes: header(kind: 2, argument: .max, reserved: .max)
        ),
        MessageCase(
            name: "recount",
            message: .recount,
            bytes: header(kind: 6)
        ),
        MessageCase(
            name: "ready",
            message: .ready(generation: 7, protocolVersion: 1),
            bytes: header(kind: 3, argument: 7 | 1 << 32)
        ),
        MessageCase(
            name: "ready, largest values",
            message: .ready(generation: .max, protocolVersion: .max),
            bytes: header(kind: 3, argument: 0xFF_FFFF_FFFF)
        ),
        MessageCase(
            name: "every event",
            message: .report([
                ConnectionReport(id: 1, event: .received),
                ConnectionReport(id: 2, event: .started),
                ConnectionReport(id: 3, event: .closed),
                ConnectionReport(id: .max, event: .refused, reason: .noDescriptor),
                ConnectionReport(id: 5, event: .returned),
            ]),
            bytes: header(kind: 4, count: 5) + [
                1, 0, 0, 0, 1, 0, 0, 0,
                2, 0, 0, 0, 2, 0, 0, 0,
                3, 0, 0, 0, 3, 0, 0, 0,
                255, 255, 255, 255, 4, 2, 0, 0,
                5, 0, 0, 0, 5, 0, 0, 0,
            ]
        ),
        MessageCase(name: "drained", message: .drained, bytes: header(kind: 5)),
    ]

    @Test("Messages have the documented bytes", arguments: cases)
    func encode(row: MessageCase) {
        let buffer = ByteBuffer()
        row.message.encode(to: buffer)
        #expect(buffer.array == row.bytes)
        #expect(buffer.count <= ControlMessage.bytesMax)
    }

    @Test("Messages read back as they were", arguments: cases)
    func decode(row: MessageCase) throws {
        let decoded = try ControlMessage(decoding: row.bytes.span)
        #expect(decoded == row.message)
    }

    @Test("A message that is cut anywhere is refused", arguments: cases)
    func cut(row: MessageCase) {
        for length in 0..<row.bytes.count {
            #expect(throws: ControlError.self, "\(length) bytes") {
                _ = try ControlMessage(decoding: Array(row.bytes.prefix(length)).span)
            }
        }
        #expect(throws: ControlError.length) {
            _ = try ControlMessage(decoding: (row.bytes + [0]).span)
        }
    }

    @Test("The longest report fits the longest message")
    func longest() throws {
        let message = ControlMessage.report(
            (0..<ControlMessage.reportsMax).map { ConnectionReport(id: UInt32($0), event: .closed) }
        )
        let buffer = ByteBuffer()
        message.encode(to: buffer)
        #expect(buffer.count == ControlMessage.bytesMax)
        #expect(ControlMessage.bytesMax <= 4096)
        let decoded = try ControlMessage(decoding: buffer.array.span)
        #expect(decoded == message)
    }

    @Test("Only connections carry descriptors, one each")
    func descriptorCounts() {
        for row in Self.cases {
            let expected = row.bytes[3] == 1 ? Int(row.bytes[4]) : 0
            #expect(row.message.descriptorCount == expected, "\(row.name)")
        }
    }

    static let rejects = [
        RejectCase(name: "nothing", bytes: [], error: .tooShort),
        RejectCase(name: "15 bytes", bytes: [UInt8](repeating: 0, count: 15), error: .tooShort),
        RejectCase(name: "magic", bytes: header(kind: 5, magic: 0x5042), error: .magic),
        RejectCase(
            name: "byte-swapped magic",
            bytes: header(kind: 5, magic: 0x4150),
            error: .magic
        ),
        RejectCase(name: "version 0", bytes: header(kind: 5, version: 0), error: .version(0)),
        RejectCase(name: "version 1", bytes: header(kind: 5, version: 1), error: .version(1)),
        RejectCase(name: "kind 0", bytes: header(kind: 0), error: .kind(0)),
        RejectCase(name: "kind 7", bytes: header(kind: 7), error: .kind(7)),
        RejectCase(name: "kind 255", bytes: header(kind: 255), error: .kind(255)),
        RejectCase(name: "reserved", bytes: header(kind: 5, reserved: 1), error: .reserved),
        RejectCase(
            name: "drained with an argument",
            bytes: header(kind: 5, argument: 1 << 56),
            error: .reserved
        ),
        RejectCase(
            name: "connection with an argument",
            bytes: header(kind: 1, count: 1, argument: 1) + [4, 3, 2, 1, 5, 1, 7, 6],
            error: .reserved
        ),
        RejectCase(name: "count without entries", bytes: header(kind: 4, count: 1), error: .length),
        RejectCase(
            name: "entries without count",
            bytes: header(kind: 4) + [UInt8](repeating: 0, count: 8),
            error: .length
        ),
        RejectCase(name: "no connections", bytes: header(kind: 1), error: .tooManyEntries),
        RejectCase(name: "no reports", bytes: header(kind: 4), error: .tooManyEntries),
        RejectCase(
            name: "17 connections",
            bytes: header(kind: 1, count: 17) + [UInt8](repeating: 0, count: 17 * 8),
            error: .tooManyEntries
        ),
        RejectCase(
            name: "501 reports",
            bytes: header(kind: 4, count: 501) + [UInt8](repeating: 0, count: 501 * 8),
            error: .tooManyEntries
        ),
        RejectCase(
            name: "drained with an entry",
            bytes: header(kind: 5, count: 1) + [UInt8](repeating: 0, count: 8),
            error: .tooManyEntries
        ),
        RejectCase(
            name: "ready with more than version and generation",
            bytes: header(kind: 3, argument: 1 << 40),
            error: .reserved
        ),
        RejectCase(
            name: "connection with an unknown flag",
            bytes: header(kind: 1, count: 1) + [1, 0, 0, 0, 0, 2, 1, 0],
            error: .reserved
        ),
        RejectCase(
            name: "event 0",
            bytes: header(kind: 4, count: 1) + [1, 0, 0, 0, 0, 0, 0, 0],
            error: .entry
        ),
        RejectCase(
            name: "event 6",
            bytes: header(kind: 4, count: 1) + [1, 0, 0, 0, 6, 0, 0, 0],
            error: .entry
        ),
        RejectCase(
            name: "reason 4",
            bytes: header(kind: 4, count: 1) + [1, 0, 0, 0, 4, 4, 0, 0],
            error: .entry
        ),
        RejectCase(
            name: "report with reserved bytes",
            bytes: header(kind: 4, count: 1) + [1, 0, 0, 0, 1, 0, 0, 1],
            error: .reserved
        ),
    ]

    @Test("What follows no rule is refused by name", arguments: rejects)
    func reject(row: RejectCase) {
        #expect(throws: row.error) { _ = try ControlMessage(decoding: row.bytes.span) }
    }

    @Test("Random bytes are refused or read back as the same bytes", arguments: 1...20)
    func randomBytes(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var accepted = 0
        for _ in 0..<3000 {
            var bytes: [UInt8]
            if random.oneIn(4) {
                bytes = random.bytes(random.below(200))
            } else {
                // A message with a few bytes changed gets further into the decoder.
                bytes = Self.cases[random.below(Self.cases.count)].bytes
                for _ in 0..<random.below(3) {
                    bytes[random.below(bytes.count)] = UInt8(random.below(256))
                }
            }
            do {
                let message = try ControlMessage(decoding: bytes.span)
                let buffer = ByteBuffer()
                message.encode(to: buffer)
                // Bytes of the argument that a kind does not use are not kept.
                var expected = bytes
                if [1, 4, 5].contains(bytes[3]) {
                    expected.replaceSubrange(8..<16, with: [UInt8](repeating: 0, count: 8))
                }
                #expect(buffer.array == expected, "seed \(seed)")
                accepted += 1
            } catch {
                continue
            }
        }
        #expect(accepted > 100, "seed \(seed)")
    }
}
