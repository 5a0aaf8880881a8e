// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// Asks the program on disk whether it could take over, before this one gives itself up.
final class UpgradeCheck: EventHandler {
    enum Result: Equatable {
        case passed
        /// Why not, and what the program said.
        case failed(String, lines: [String])
    }

    /// The program reads a configuration and ends.
    static let patience: UInt64 = 10_000_000_000
    private static let outputBytesMax = 64 << 10
    private static let timerKind: UInt32 = 1

    private let loop: EventLoop
    private let children: Children
    private let patience: UInt64
    private let done: (Result) -> Void
    private let output = ByteBuffer()
    private var pipe: OwnedFD?
    private var pidfd: OwnedFD?
    private var pipeToken = EventToken.none
    private var pidToken = EventToken.none
    private var timer: TimerID?
    /// Until it is reaped.
    private(set) var pid: Int32?
    private var exit: ProcessExit?

    /// `done` is called once, from the loop or from `start`.
    init(
        loop: EventLoop,
        children: Children,
        patience: UInt64 = UpgradeCheck.patience,
        done: @escaping (Result) -> Void
    ) {
        self.loop = loop
        self.children = children
        self.patience = patience
        self.done = done
    }

    /// Starts the program at `path`, which gets the configuration in use as well.
    func start(
        _ path: String,
        arguments: [String],
        environment: [String],
        configuration: Int32
    ) {
        do throws(Errno) {
            let ends = try Syscalls.pipe()
            let null = try Syscalls.openForReading("/dev/null")
            let pid = try Syscalls.spawn(
                path,
                arguments: arguments,
                environment: UpgradeHandover.cleaned(environment)
                    + [
                        "\(UpgradeHandover.checkVariable)=1",
                        "\(UpgradeHandover.configurationVariable)="
                            + "\(UpgradeHandover.configurationDescriptor)",
                    ],
                descriptors: [
                    InheritedFD(source: null.raw, target: 0),
                    InheritedFD(source: ends.second.raw, target: 1),
                    InheritedFD(source: ends.second.raw, target: 2),
                    InheritedFD(
                        source: configuration,
                        target: UpgradeHandover.configurationDescriptor
                    ),
                ],
                ownGroup: true
            )
            self.pid = pid
            children.watch(pid)
            let process = try Syscalls.pidfd(pid)
            let raw = process.raw
            pidfd = consume process
            let near = ends.takeFirst()
            let nearRaw = near.raw
            pipe = consume near
            do throws(SystemError) {
                pidToken = try loop.register(raw, .read, self)
                pipeToken = try loop.register(nearRaw, .read, self)
            } catch {
                throw error.errno
            }
        } catch {
            finish(.failed("\(path) cannot be run: \(error.text)", lines: []))
            return
        }
        timer = loop.schedule(at: loop.now + patience, self, kind: Self.timerKind)
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        if token == pipeToken { read() } else if token == pidToken { reap() }
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        timer = nil
        finish(.failed("the program on disk did not answer in time", lines: []))
    }

    private func read() {
        guard let raw = pipe?.raw else { return }
        while output.count < Self.outputBytesMax {
            switch Syscalls.read(raw, into: output, minimum: 4096) {
            case .bytes: continue
            case .wouldBlock: return
            case .endOfStream, .failed: break
            }
            break
        }
        loop.deregister(pipeToken)
        pipeToken = .none
        judge()
    }

    private func reap() {
        guard let raw = pidfd?.raw, let pid else { return }
        do throws(Errno) {
            guard let ended = try Syscalls.reap(pidfd: raw) else { return }
            exit = ended
        } catch {
            // Somebody else has reaped it: what it found is lost.
            exit = .unknown
        }
        children.reaped(pid)
        self.pid = nil
        loop.deregister(pidToken)
        pidToken = .none
        judge()
    }

    /// Goes on when all was said and the program has ended.
    private func judge() {
        guard let exit, pipeToken == .none else { return }
        let lines = output.text.split(separator: "\n").map(String.init)
        guard exit != .unknown else {
            finish(.failed("how the program on disk ended is not known: try again", lines: lines))
            return
        }
        guard exit == .exited(code: ExitCode.success) else {
            finish(.failed("the program on disk refuses to take over", lines: lines))
            return
        }
        let answer = lines.first { $0.hasPrefix(UpgradeHandover.word) } ?? ""
        if let problem = UpgradeHandover.problem(answer: answer) {
            finish(.failed(problem, lines: []))
        } else {
            finish(.passed)
        }
    }

    private func finish(_ result: Result) {
        loop.deregister(pipeToken)
        loop.deregister(pidToken)
        pipeToken = .none
        pidToken = .none
        if let timer { loop.cancel(timer) }
        timer = nil
        if let pid { children.abandon(pid) }
        pid = nil
        pipe = nil
        pidfd = nil
        done(result)
    }
}
