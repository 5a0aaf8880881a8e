// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// One message between the supervisor and a worker, over their SEQPACKET pair.
///
/// Layout, little endian: magic (2 bytes), version (1), kind (1), entry count (2), detail (2),
/// argument (8), then `count` entries of 8 bytes. The length of a message follows from its count,
/// so a receiver can refuse anything else.
package enum ControlMessage: Equatable, Sendable {
    /// To a worker: client connections, one descriptor each, in this order.
    case connections([HandedConnection])
    /// To a worker: take nothing new, finish what runs.
    case drain(DrainOrder)
    /// To a worker: say all counts again, for a supervisor that has lost them.
    case recount
    /// To the supervisor: configuration is loaded, connections are welcome.
    case ready(generation: UInt32, protocolVersion: UInt8)
    /// To the supervisor: what became of handed connections, in order.
    case report([ConnectionReport])
    /// To the supervisor: nothing runs any more; the worker exits next.
    case drained

    /// Number that both sides must agree on.
    package static let version: UInt8 = 2
    /// "AP", little endian.
    static let magic: UInt16 = 0x5041
    static let headerBytes = 16
    static let entryBytes = 8

    /// Most connections in one message.
    ///
    /// Larger batches save little and delay the first of them.
    package static let connectionsMax = 16
    /// Most reports in one message: keeps a message within one page.
    package static let reportsMax = 500
    /// Longest message.
    package static let bytesMax = headerBytes + reportsMax * entryBytes
}

/// A message that follows no rule of the protocol: the sender is broken or not ours.
package enum ControlError: Error, Equatable, Sendable {
    case tooShort, magic, version(UInt8), kind(UInt8), length, reserved, tooManyEntries, entry
    /// Descriptors came with a message that carries none, or not as many as it announces.
    case descriptorCount
    /// Longer than any message.
    case tooLong
}

extension ControlMessage {
    private enum Kind: UInt8 {
        case connections = 1, drain = 2, ready = 3, report = 4, drained = 5, recount = 6
    }

    /// Descriptors that must come with the message.
    package var descriptorCount: Int {
        switch self {
        case .connections(let connections): connections.count
        case .drain, .recount, .ready, .report, .drained: 0
        }
    }

    /// Appends the bytes of the message to `out`.
    package func encode(to out: ByteBuffer) {
        switch self {
        case .connections(let connections):
            precondition(connections.count <= Self.connectionsMax, "too many connections")
            Self.header(.connections, count: connections.count, argument: 0, to: out)
            for connection in connections {
                out.append(littleEndian: connection.id)
                out.append(connection.listener)
                out.append(connection.isKept ? 1 : 0)
                out.append(littleEndian: connection.record)
            }
        case .drain(let order):
            Self.header(
                .drain,
                count: 0,
                detail: order.spreadMilliseconds,
                argument: order.argument,
                to: out
            )
        case .recount:
            Self.header(.recount, count: 0, argument: 0, to: out)
        case .ready(let generation, let version):
            let argument = UInt64(generation) | UInt64(version) << 32
            Self.header(.ready, count: 0, argument: argument, to: out)
        case .report(let reports):
            precondition(reports.count <= Self.reportsMax, "too many reports")
            Self.header(.report, count: reports.count, argument: 0, to: out)
            for report in reports {
                out.append(littleEndian: report.id)
                out.append(report.event.rawValue)
                out.append(report.reason.rawValue)
                out.append(littleEndian: UInt16(0))
            }
        case .drained:
            Self.header(.drained, count: 0, argument: 0, to: out)
        }
    }

    private static func header(
        _ kind: Kind,
        count: Int,
        detail: UInt16 = 0,
        argument: UInt64,
        to out: ByteBuffer
    ) {
        out.append(littleEndian: magic)
        out.append(version)
        out.append(kind.rawValue)
        out.append(littleEndian: UInt16(count))
        out.append(littleEndian: detail)
        out.append(littleEndian: argument)
    }

    /// The message in `bytes`, which are one whole packet.
    package init(decoding bytes: Span<UInt8>) throws(ControlError) {
        guard bytes.count >= Self.headerBytes else { throw .tooShort }
        guard bytes.integer(at: 0, UInt16.self) == Self.magic else { throw .magic }
        guard bytes[2] == Self.version else { throw .version(bytes[2]) }
        guard let kind = Kind(rawValue: bytes[3]) else { throw .kind(bytes[3]) }
        let count = Int(bytes.integer(at: 4, UInt16.self))
        let detail = bytes.integer(at: 6, UInt16.self)
        guard detail == 0 || kind == .drain else { throw .reserved }
        let argument = bytes.integer(at: 8, UInt64.self)
        guard bytes.count == Self.headerBytes + count * Self.entryBytes else { throw .length }
        switch kind {
        case .connections, .report, .drained, .recount:
            guard argument == 0 else { throw .reserved }
        case .drain, .ready:
            break
        }
        switch kind {
        case .connections:
            guard (1...Self.connectionsMax).contains(count) else { throw .tooManyEntries }
            self = .connections(try Self.connections(bytes, count: count))
        case .report:
            guard (1...Self.reportsMax).contains(count) else { throw .tooManyEntries }
            self = .report(try Self.reports(bytes, count: count))
        case .drain, .ready, .drained, .recount:
            guard count == 0 else { throw .tooManyEntries }
            self = try Self.plain(kind, argument: argument, detail: detail)
        }
    }

    private static func plain(
        _ kind: Kind,
        argument: UInt64,
        detail: UInt16
    ) throws(ControlError) -> Self {
        switch kind {
        case .drain: return .drain(DrainOrder(argument: argument, detail: detail))
        case .drained: return .drained
        case .recount: return .recount
        case .ready:
            guard argument >> 40 == 0 else { throw .reserved }
            return .ready(
                generation: UInt32(truncatingIfNeeded: argument),
                protocolVersion: UInt8(truncatingIfNeeded: argument >> 32)
            )
        case .connections, .report: throw .kind(kind.rawValue)
        }
    }

    private static func connections(
        _ bytes: Span<UInt8>,
        count: Int
    ) throws(ControlError) -> [HandedConnection] {
        var result: [HandedConnection] = []
        result.reserveCapacity(count)
        for index in 0..<count {
            let at = headerBytes + index * entryBytes
            guard bytes[at + 5] <= 1 else { throw .reserved }
            result.append(
                HandedConnection(
                    id: bytes.integer(at: at, UInt32.self),
                    listener: bytes[at + 4],
                    isKept: bytes[at + 5] == 1,
                    record: bytes.integer(at: at + 6, UInt16.self)
                )
            )
        }
        return result
    }

    private static func reports(
        _ bytes: Span<UInt8>,
        count: Int
    ) throws(ControlError) -> [ConnectionReport] {
        var result: [ConnectionReport] = []
        result.reserveCapacity(count)
        for index in 0..<count {
            let at = headerBytes + index * entryBytes
            guard let event = ConnectionReport.Event(rawValue: bytes[at + 4]),
                let reason = ConnectionReport.Reason(rawValue: bytes[at + 5])
            else { throw .entry }
            guard bytes.integer(at: at + 6, UInt16.self) == 0 else { throw .reserved }
            result.append(
                ConnectionReport(
                    id: bytes.integer(at: at, UInt32.self),
                    event: event,
                    reason: reason
                )
            )
        }
        return result
    }
}
