// SPDX-License-Identifier: Apache-2.0
import Bytes
import Control

/// Messages of the control socket: true ones, damaged ones, and garbage.
///
/// Properties: no crash; what is accepted encodes back to the same bytes, so nothing is accepted
/// that a sender of ours could not have meant.
enum ControlFuzz {
    static func run(_ run: inout FuzzRun) {
        while run.advance() {
            let message = makeMessage(&run)
            var input = encode(message)
            run.check(decode(input) == message, "a true message is read back", input)
            damage(&input, &run)
            guard let read = decode(input) else { continue }
            run.check(encode(read) == input, "what is accepted encodes to the same bytes", input)
        }
    }

    private static func encode(_ message: ControlMessage) -> [UInt8] {
        let out = ByteBuffer()
        message.encode(to: out)
        return out.array
    }

    private static func decode(_ input: [UInt8]) -> ControlMessage? {
        do throws(ControlError) {
            return try ControlMessage(decoding: input.span)
        } catch {
            return nil
        }
    }

    private static func makeMessage(_ run: inout FuzzRun) -> ControlMessage {
        switch run.below(6) {
        case 0:
            let count = 1 + run.below(ControlMessage.connectionsMax)
            return .connections(
                (0..<count).map { _ in
                    HandedConnection(
                        id: UInt32(truncatingIfNeeded: run.next()),
                        listener: UInt8(truncatingIfNeeded: run.next()),
                        isKept: run.below(2) == 0,
                        record: UInt16(truncatingIfNeeded: run.next())
                    )
                }
            )
        case 1:
            return .drain(
                DrainOrder(
                    softMilliseconds: UInt32(truncatingIfNeeded: run.next()),
                    hardMilliseconds: UInt32(truncatingIfNeeded: run.next()),
                    spreadMilliseconds: UInt16(truncatingIfNeeded: run.next()),
                    returnsIdle: run.below(2) == 0
                )
            )
        case 2:
            return .ready(
                generation: UInt32(truncatingIfNeeded: run.next()),
                protocolVersion: UInt8(truncatingIfNeeded: run.next())
            )
        case 3:
            let count = 1 + run.below(ControlMessage.reportsMax)
            return .report((0..<count).map { _ in makeReport(&run) })
        case 4:
            return .recount
        default:
            return .drained
        }
    }

    private static func makeReport(_ run: inout FuzzRun) -> ConnectionReport {
        let events = ConnectionReport.Event.allCases
        let reasons = ConnectionReport.Reason.allCases
        return ConnectionReport(
            id: UInt32(truncatingIfNeeded: run.next()),
            event: events[run.below(events.count)],
            reason: reasons[run.below(reasons.count)]
        )
    }

    private static func damage(_ input: inout [UInt8], _ run: inout FuzzRun) {
        for _ in 0...run.below(4) {
            switch run.below(4) {
            case 0 where !input.isEmpty:
                input[run.below(input.count)] = UInt8(truncatingIfNeeded: run.next())
            case 1 where !input.isEmpty:
                input.removeLast(1 + run.below(input.count))
            case 2:
                input += (0...run.below(16)).map { _ in UInt8(truncatingIfNeeded: run.next()) }
            default:
                input.append(UInt8(truncatingIfNeeded: run.next()))
            }
        }
    }
}
