// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// One message between the supervisor and a worker, over their SEQPACKET pair.
///
/// Layout, little endian: magic (2 bytes), version (1), kind (1), entry count (2), zero (2),
/// argument (8), then `count` entries of 8 bytes. The length of a message follows from its count,
/// so a receiver can refuse anything else.
package enum ControlMessage: Equatable, Sendable {
    /// To a worker: client connections, one descriptor each, in this order.
    case connections([HandedConnection])
    /// To a worker: take nothing new, finish what runs, at most for so long.
    case drain(deadlineMilliseconds: UInt64)
    /// To the supervisor: configuration is loaded, connections are welcome.
    case ready(generation: UInt32, protocolVersion: UInt8)
    /// To the supervisor: what became of handed connections, in order.
    case report([ConnectionReport])
    /// To the supervisor: nothing runs any more; the worker exits next.
    case drained

    /// Number that both sides must agree on.
    package static let version: UInt8 = 1
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

/// A client connection on its way to a worker.
package struct HandedConnection: Equatable, Sendable {
    /// Unique among the connections that the supervisor knows at one time.
    package let id: UInt32
    /// Index of the listener that accepted it.
    package let listener: UInt16

    package init(id: UInt32, listener: UInt16) {
        self.id = id
        self.listener = listener
    }
}

/// What became of one handed connection.
package struct ConnectionReport: Equatable, Sendable {
    package enum Event: UInt8, Sendable, CaseIterable {
        /// The worker owns the descriptor.
        case received = 1
        /// The first byte was read: from here on nobody else may serve it.
        case started = 2
        /// The connection is over.
        case closed = 3
        /// The worker does not take it; the supervisor's copy goes elsewhere.
        case refused = 4
    }

    package enum Reason: UInt8, Sendable, CaseIterable {
        case none = 0
        case draining = 1
        /// The descriptor was lost on the way, or the worker has no room for another one.
        case noDescriptor = 2
        case overloaded = 3
    }

    package let id: UInt32
    package let event: Event
    package let reason: Reason

    package init(id: UInt32, event: Event, reason: Reason = .none) {
        self.id = id
        self.event = event
        self.reason = reason
    }
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
        case connections = 1, drain = 2, ready = 3, report = 4, drained = 5
    }

    /// Descriptors that must come with the message.
    package var descriptorCount: Int {
        switch self {
        case .connections(let connections): connections.count
        case .drain, .ready, .report, .drained: 0
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
                out.append(littleEndian: connection.listener)
                out.append(littleEndian: UInt16(0))
            }
        case .drain(let deadline):
            Self.header(.drain, count: 0, argument: deadline, to: out)
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

    private static func header(_ kind: Kind, count: Int, argument: UInt64, to out: ByteBuffer) {
        out.append(littleEndian: magic)
        out.append(version)
        out.append(kind.rawValue)
        out.append(littleEndian: UInt16(count))
        out.append(littleEndian: UInt16(0))
        out.append(littleEndian: argument)
    }

    /// The message in `bytes`, which are one whole packet.
    package init(decoding bytes: Span<UInt8>) throws(ControlError) {
        guard bytes.count >= Self.headerBytes else { throw .tooShort }
        guard bytes.integer(at: 0, UInt16.self) == Self.magic else { throw .magic }
        guard bytes[2] == Self.version else { throw .version(bytes[2]) }
        guard let kind = Kind(rawValue: bytes[3]) else { throw .kind(bytes[3]) }
        let count = Int(bytes.integer(at: 4, UInt16.self))
        guard bytes.integer(at: 6, UInt16.self) == 0 else { throw .reserved }
        let argument = bytes.integer(at: 8, UInt64.self)
        guard bytes.count == Self.headerBytes + count * Self.entryBytes else { throw .length }
        switch kind {
        case .connections, .report, .drained:
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
        case .drain, .ready, .drained:
            guard count == 0 else { throw .tooManyEntries }
            self = try Self.plain(kind, argument: argument)
        }
    }

    private static func plain(_ kind: Kind, argument: UInt64) throws(ControlError) -> Self {
        switch kind {
        case .drain: return .drain(deadlineMilliseconds: argument)
        case .drained: return .drained
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
            guard bytes.integer(at: at + 6, UInt16.self) == 0 else { throw .reserved }
            result.append(
                HandedConnection(
                    id: bytes.integer(at: at, UInt32.self),
                    listener: bytes.integer(at: at + 4, UInt16.self)
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
