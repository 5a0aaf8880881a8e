// SPDX-License-Identifier: Apache-2.0
import Loop
import System

/// Fetches the status once, or every second until a signal.
final class StatusWatch: EventHandler {
    private static let interval: UInt64 = 1_000_000_000
    private static let timerKind: UInt32 = 1

    private let address: SocketAddress
    private let loop: EventLoop
    private let view: StatusView
    private let repeats: Bool
    private var fetch: StatusFetch?
    private var signals: SignalReader?
    /// Somebody answered before: then a gateway that is away is waited for.
    private var hasShown = false
    private var exitCode = ExitCode.success

    init(_ address: SocketAddress, loop: EventLoop, view: StatusView, repeats: Bool) {
        self.address = address
        self.loop = loop
        self.view = view
        self.repeats = repeats
    }

    /// Runs to the end.
    ///
    /// Returns the exit code.
    func run() throws(SystemError) -> Int32 {
        if repeats {
            let reader = try SignalReader([.interrupt, .terminate, .hangup]) {
                [unowned self] _ in loop.stop()
            }
            try reader.start(on: loop)
            signals = reader
        }
        begin()
        try loop.run()
        fetch?.cancel()
        view.end()
        return exitCode
    }

    private func begin() {
        let fetch = StatusFetch(address, loop: loop) { [unowned self] in ended($0) }
        self.fetch = fetch
        fetch.start(target: StatusCommand.target)
    }

    private func ended(_ result: Result<[UInt8], StatusFetch.Failure>) {
        fetch = nil
        switch result {
        case .success(let document):
            if view.show(document, now: loop.now) {
                hasShown = true
            } else {
                failed("\(address) answered with something that is not the status of Apus")
            }
        case .failure(let failure):
            failed(failure.text(address))
        }
        if repeats, exitCode == ExitCode.success {
            _ = loop.schedule(at: loop.now + Self.interval, self, kind: Self.timerKind)
        } else {
            loop.stop()
        }
    }

    private func failed(_ text: String) {
        if hasShown {
            view.showFailure(text)
        } else {
            TextOutput.error.write("apus: \(text)\n")
            exitCode = ExitCode.unavailable
        }
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        begin()
    }
}
