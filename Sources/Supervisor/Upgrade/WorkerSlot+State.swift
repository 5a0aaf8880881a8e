// SPDX-License-Identifier: Apache-2.0
import Bytes

extension WorkerSlot {
    /// Writes the slot.
    func write(_ coder: inout StateCoder) {
        var copy = self
        copy.code(&coder)
    }

    mutating func code(_ coder: inout StateCoder) {
        var number = self.number
        coder.code(&number)
        if coder.mode == .reading {
            self = WorkerSlot(number: number, generation: 0, purpose: .serve)
        }
        codeFacts(&coder)
    }
}

extension WorkerSlot.State {
    mutating func code(_ coder: inout StateCoder) {
        var tag: UInt8
        var time: UInt64
        switch self {
        case .vacant: (tag, time) = (0, 0)
        case .backoff(let until): (tag, time) = (1, until)
        case .booting(let deadline): (tag, time) = (2, deadline)
        case .probing(let deadline): (tag, time) = (3, deadline)
        case .ready(let since): (tag, time) = (4, since)
        case .draining(let deadline): (tag, time) = (5, deadline)
        case .stopping(let deadline): (tag, time) = (6, deadline)
        case .aborting(let deadline): (tag, time) = (7, deadline)
        case .killed(let deadline): (tag, time) = (8, deadline)
        case .ended: (tag, time) = (9, 0)
        }
        coder.code(&tag)
        coder.code(&time)
        switch tag {
        case 0: self = .vacant
        case 1: self = .backoff(until: time)
        case 2: self = .booting(deadline: time)
        case 3: self = .probing(deadline: time)
        case 4: self = .ready(since: time)
        case 5: self = .draining(deadline: time)
        case 6: self = .stopping(deadline: time)
        case 7: self = .aborting(deadline: time)
        case 8: self = .killed(deadline: time)
        case 9: self = .ended
        default: coder.fail()
        }
    }
}

extension WorkerSlot.Purpose {
    mutating func code(_ coder: inout StateCoder) {
        var tag: UInt8
        switch self {
        case .serve: tag = 0
        case .replace: tag = 1
        case .leave: tag = 2
        }
        coder.code(&tag)
        switch tag {
        case 0: self = .serve
        case 1: self = .replace
        case 2: self = .leave
        default: coder.fail()
        }
    }
}
