// SPDX-License-Identifier: Apache-2.0
import Config
import Loop
import System

/// `apus reload`, `scale`, `stop` and `upgrade`: asks the running supervisor and waits for it.
struct OperatorCommand: Equatable {
    let request: OperatorRequest

    init(_ request: OperatorRequest) {
        self.request = request
    }

    init(scale options: ParsedOptions) throws(UsageError) {
        guard let text = options.arguments.first else { throw .missingArgument(.scale) }
        guard let count = Int(text), ConfigLimits.workers.contains(count) else {
            throw .badCount(text)
        }
        request = .scale(count)
    }

    func run() -> Int32 {
        run(RuntimePlace.candidates(environment: Syscalls.environment()))
    }

    private func run(_ places: [RuntimePlace]) -> Int32 {
        do throws(SystemError) {
            let session = OperatorSession(loop: try EventLoop())
            var tried: [(path: String, errno: Errno)] = []
            for place in places {
                let path = RuntimeDirectory.socketPath(in: place.path)
                do throws(Errno) {
                    try session.start(request, socketPath: path)
                } catch {
                    tried.append((path, error))
                    continue
                }
                return try session.run(isStop: isStop)
            }
            TextOutput.error.write("apus: \(Self.unreachable(tried))\n")
            return ExitCode.unavailable
        } catch {
            TextOutput.error.write("apus: \(error)\n")
            return ExitCode.failure
        }
    }

    private var isStop: Bool {
        if case .stop = request { true } else { false }
    }

    /// Which sockets were tried, and what helps.
    static func unreachable(_ tried: [(path: String, errno: Errno)]) -> String {
        let sockets = tried.map { "\($0.path) (\($0.errno.text))" }.joined(separator: ", ")
        let denied = tried.contains { $0.errno == .accessDenied || $0.errno == .notPermitted }
        return "no supervisor answers at \(sockets); "
            + (denied
                ? "run this as the user of the supervisor, or as root"
                : "set RUNTIME_DIRECTORY to the runtime directory of the supervisor")
    }
}

/// One call with its output on this process's standard descriptors.
private final class OperatorSession {
    /// After its last word a supervisor has nothing left to do.
    private static let exitMillisecondsMax: Int32 = 10_000

    private let loop: EventLoop
    private var call: OperatorCall?
    private var result: Result<OperatorReply, OperatorCall.Failure>?
    private var lastNote = ""

    init(loop: EventLoop) {
        self.loop = loop
    }

    func start(_ request: OperatorRequest, socketPath: String) throws(Errno) {
        let call = OperatorCall(
            loop: loop,
            noted: { [unowned self] in noted($0) },
            done: { [unowned self] in result = $0 }
        )
        try call.start(request, socketPath: socketPath)
        self.call = call
    }

    /// Progress is for people who watch; a script gets the result alone.
    private func noted(_ text: String) {
        guard text != lastNote, !text.isEmpty, TextOutput.error.isTerminal else { return }
        lastNote = text
        TextOutput.error.write("\(PlainText.printable(text))\n")
    }

    func run(isStop: Bool) throws(SystemError) -> Int32 {
        while true {
            if let result {
                let code = show(result)
                if isStop, code == ExitCode.success { try waitForExit() }
                return code
            }
            try loop.turn()
        }
    }

    private func show(_ result: Result<OperatorReply, OperatorCall.Failure>) -> Int32 {
        switch result {
        case .success(let reply):
            for line in reply.lines { TextOutput.error.write(PlainText.printable(line) + "\n") }
            let text = PlainText.printable(reply.text)
            if reply.ok { return TextOutput.standard.write("\(text)\n") }
            TextOutput.error.write("apus: \(text)\n")
            return ExitCode.failure
        case .failure(let failure):
            TextOutput.error.write("apus: \(failure.text)\n")
            return ExitCode.failure
        }
    }

    /// Whoever restarts it next finds address and lock free.
    private func waitForExit() throws(SystemError) {
        guard let raw = call?.supervisorDescriptor else { return }
        let watch = ExitWatch()
        let token = try loop.register(raw, .read, watch)
        let end = Syscalls.monotonicNanoseconds() + UInt64(Self.exitMillisecondsMax) * 1_000_000
        while !watch.hasEnded, Syscalls.monotonicNanoseconds() < end {
            try loop.turn(waitMax: 100)
        }
        loop.deregister(token)
    }
}

private final class ExitWatch: EventHandler {
    private(set) var hasEnded = false

    override func ready(_ readiness: Readiness, token: EventToken) { hasEnded = true }
}

extension OperatorCall.Failure {
    var text: String {
        switch self {
        case .unreachable(let errno): "the supervisor cannot be reached: \(errno.text)"
        case .silent: "the supervisor does not answer; its log may tell why"
        case .cut: "the supervisor ended before it answered; its log may tell why"
        case .malformed: "what answers there is no supervisor of this release"
        }
    }
}
