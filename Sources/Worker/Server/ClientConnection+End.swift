// SPDX-License-Identifier: Apache-2.0
import Control
import Dialects
import Log
import Loop
import System

/// How a connection ends, or goes elsewhere.
extension ClientConnection {
    /// How long what a refused client still sends is thrown away.
    private static let lingerNanoseconds: UInt64 = 2_000_000_000

    func clientLeft(_ ending: AccessLogLine.Ending) {
        exchange?.cancel()
        exchange = nil
        ledger.ending = ending
        if ledger.status == 0 { ledger.status = 499 }
        worker.requestEnded(self)
        close()
    }

    func linger() {
        state = .lingering
        Syscalls.shutdown(fd.raw, .write)
        setInterest(.read)
        setDeadline(Self.lingerNanoseconds)
    }

    func close() {
        guard state != .closed else { return }
        guard journal.take() else {
            forget()
            return
        }
        if state == .reading { worker.requestAbandoned() }
        if wouldLookWhole {
            // The last close resets the connection. Its record stays what it is: should this process
            // end here, the supervisor has to see the part of an answer.
            Syscalls.setResetOnClose(fd.raw)
            letGo()
        } else {
            journal.closing()
            letGo()
            // The supervisor's copy of the descriptor may live a moment longer than ours; without
            // this the client would see the end only then.
            Syscalls.shutdown(fd.raw, .write)
        }
        journal.free()
        worker.connectionEnded(self, .closed)
    }

    /// Lets go of a connection that the supervisor has given to another worker, which must not
    /// notice.
    func forget() {
        letGo()
        journal.free()
        worker.connectionEnded(self, .refused)
    }

    /// Lets go of a connection that nothing was read from; it stays open for another worker.
    func giveBack(_ reason: ConnectionReport.Reason) {
        precondition(state == .idle && !hasStarted, "a used connection cannot be given back")
        guard journal.take() else {
            forget()
            return
        }
        letGo()
        journal.free()
        worker.connectionEnded(self, .refused, reason)
    }

    /// Lets go of a connection between two requests; it stays open for another worker.
    private func handBack() {
        precondition(handed.isKept, "nobody else has the connection")
        letGo()
        journal.free()
        worker.connectionEnded(self, .returned)
    }

    private func letGo() {
        state = .closed
        deadline.cancel(on: worker.loop)
        worker.loop.deregister(token)
        noteQueue(0)
        intake.release(worker.buffers)
        answer.release(worker.buffers)
    }

    // MARK: Draining

    /// What the connection does, for whoever decides about its end.
    var activity: DrainPolicy.Activity {
        switch state {
        case .idle where intake.holdsBytes: .reading
        case .idle: hasStarted ? .idle(isKept: handed.isKept) : .fresh
        case .reading: .reading
        case .responding where movedAt == 0 && queuedBytes == 0: .preparing
        case .responding:
            .answering(isComplete: isAnswerComplete, movedAt: movedAt == 0 ? nil : movedAt)
        case .lingering, .closed: .lingering
        }
    }

    /// Does what was decided, unless the connection has moved on since.
    func perform(_ action: DrainPolicy.Action) {
        guard state != .closed else { return }
        journal.isAtWork()
        switch action {
        case .keep: break
        case .handBack, .close: leave(action)
        case .end: end()
        case .cut: cut()
        }
    }

    private func leave(_ action: DrainPolicy.Action) {
        guard state == .idle, !intake.holdsBytes else { return }
        // A request that has arrived already would be lost.
        receive()
        guard state == .idle, !intake.holdsBytes else { return }
        if !hasStarted {
            giveBack(.draining)
        } else if action == .handBack, handed.isKept {
            handBack()
        } else {
            close()
        }
    }

    /// Ends what is under way with an error, so that nobody takes a part for the whole.
    private func end() {
        var error = APIError.stopping
        error.closesConnection = true
        if state == .reading {
            ledger.ending = .stopped
            refuse(error)
        } else if let exchange {
            exchange.stop()
        } else if awaitsAnswer {
            ledger.ending = .stopped
            answerError(error)
        }
    }

    /// Ends the connection whatever it is doing.
    private func cut() {
        if state == .responding {
            closesAfterAnswer = true
            exchange?.stop()
        }
        switch state {
        case .responding: clientLeft(.stopped)
        case .idle, .reading, .lingering: close()
        case .closed: break
        }
    }
}
