// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Control
import HTTP
import JSON
import Log
import Loop
import Metrics
import Policy
import Scoreboard
import System

/// One worker process: what its connections share, and its life from start to drain.
final class Worker {
    /// Most client connections of one worker: beyond it another worker, or the supervisor's queue,
    /// is the better place.
    static let connectionsMax = Scoreboard.recordsMax

    let loop: EventLoop
    let config: Config
    // Apart from the configuration, whose copy costs a retain per member, for every request.
    let keys: KeyTable
    let models: ModelTable
    let requiresKey: Bool
    let logsAccess: Bool
    let bodyBytesMax: Int
    let timeouts: WorkerTimeouts
    let metrics: WorkerMetrics
    let log: LogSink
    let lane: Upstreams
    let control: ControlCalls
    let upstreams: [Upstream]
    let cors: CrossOrigin
    let buffers = BufferPool()
    let scratch = HeadScratch()
    /// For documents that are there whole.
    let scan = BodyScan()
    let streamWork = StreamWork()
    let builder: RequestBuilder
    let retryPolicy: RetryPolicy
    /// Silence after which a stream gets a sign of life, in nanoseconds.
    let keepalive: UInt64?
    /// Spreads backoffs and choices; not for secrets.
    var random: RandomWords
    let reports: ReportQueue
    var ids: RequestIDGenerator
    /// The page that the supervisor reads, also after this process has died.
    let scoreboard: Scoreboard
    private(set) var drain: Drain?
    /// The supervisor was told that nothing runs any more.
    private var hasLeft = false

    private(set) lazy var gateway = Gateway(worker: self)
    private(set) lazy var catalog = ModelCatalog(worker: self)
    private lazy var accounting = Accounting(worker: self)

    #if DEBUG
    var faults = WorkerFaults()
    #endif
    private let channel: ControlChannel
    private let metricsPipe: OwnedFD
    private let slot: Int
    private let hasLane: Bool
    private let generation: UInt32
    private(set) var connections: [ObjectIdentifier: ClientConnection] = [:]
    private var date = HTTPDate.Cache()
    private var dateTurn: UInt64 = .max
    /// Bytes that wait for clients.
    private var bytesQueued = 0

    init(
        options: WorkerOptions,
        config: Config,
        loop: EventLoop,
        channel: ControlChannel,
        metricsPipe: consuming OwnedFD,
        scoreboard: Scoreboard,
        log: LogSink,
        seed: UInt64
    ) {
        self.loop = loop
        self.config = config
        keys = config.keys
        models = config.models
        requiresKey = config.requiresKey
        logsAccess = config.logsAccess
        bodyBytesMax = config.bodyBytesMax
        self.channel = channel
        self.metricsPipe = metricsPipe
        self.scoreboard = scoreboard
        self.log = log
        slot = options.slot
        generation = options.generation
        timeouts = WorkerTimeouts(config.timeouts)
        metrics = WorkerMetrics(upstreamNames: config.upstreams.map(\.name))
        cors = CrossOrigin(origins: config.corsOrigins ?? [])
        reports = ReportQueue(channel: channel, loop: loop)
        ids = RequestIDGenerator(seed: seed, worker: UInt64(options.slot))
        control = ControlCalls(loop: loop)
        let built = UpstreamBuilder(config.upstreams, control: control, loop: loop, log: log)
        upstreams = built.upstreams
        lane = Upstreams(settings: built.lane, loop: loop)
        builder = RequestBuilder(buffers: buffers)
        retryPolicy = RetryPolicy(config.retries)
        keepalive = config.keepaliveNanoseconds
        random = RandomWords(seed: seed)
        hasLane = !built.lane.isEmpty
        loop.observer = Heartbeat(scoreboard)
    }

    /// Tells the supervisor that connections are welcome.
    func start() throws(SystemError) {
        let handler = ControlHandler(channel: channel, worker: self)
        _ = try loop.register(channel.fd.raw, .read, handler)
        sayReady()
        if hasLane { lane.prepare() }
        for upstream in upstreams {
            if case .sap(let account) = upstream.service { account.prepare() }
        }
    }

    private func sayReady() {
        #if DEBUG
        if faults.has(.badVersion) {
            faults.sayReady(generation: generation, on: channel.fd.raw)
            return
        }
        defer { faults.afterReady(self, control: channel.fd.raw) }
        #endif
        _ = channel.send(
            .ready(generation: generation, protocolVersion: ControlMessage.version)
        )
    }

    var slotNumber: Int { slot }
    var metricsDescriptor: Int32 { metricsPipe.raw }
    var generationNumber: UInt32 { generation }
    var connectionCount: Int { connections.count }
    var isDraining: Bool { drain != nil }

    /// The current date, looked up at most once per turn.
    func currentDate() -> HTTPDate.Cache {
        if dateTurn != loop.turns {
            dateTurn = loop.turns
            date.update(unixSeconds: Syscalls.wallClock().seconds)
        }
        return date
    }

    // MARK: Connections

    func accept(_ fd: consuming OwnedFD, _ handed: HandedConnection) {
        guard Int(handed.record) < Scoreboard.recordsMax else {
            reports.add(handed.id, .refused, .overloaded)
            return
        }
        var journal = ConnectionJournal(scoreboard, record: Int(handed.record))
        // The supervisor may have taken it back while it was under way. It is told all the same: it
        // gives nothing more to a worker from which it hears nothing.
        guard journal.take() else {
            journal.free()
            reports.add(handed.id, .refused)
            return
        }
        if isDraining || connections.count >= Self.connectionsMax {
            journal.free()
            reports.add(handed.id, .refused, isDraining ? .draining : .overloaded)
            return
        }
        let connection = ClientConnection(worker: self, fd: fd, handed, journal)
        connections[ObjectIdentifier(connection)] = connection
        metrics.count(.connectionsAccepted)
        sayReceived(handed.id)
        do throws(SystemError) {
            try connection.start()
        } catch {
            log.log(.error, "a connection could not be watched") { record in
                record.field("error", error.description)
            }
            connection.giveBack(.overloaded)
        }
        accounting.connectionsChanged()
    }

    private func sayReceived(_ id: UInt32) {
        #if DEBUG
        if faults.has(.noReports) { return }
        #endif
        reports.add(id, .received)
    }

    /// A connection whose descriptor was lost on the way.
    func refuse(_ handed: HandedConnection) {
        guard Int(handed.record) < Scoreboard.recordsMax else { return }
        var journal = ConnectionJournal(scoreboard, record: Int(handed.record))
        _ = journal.take()
        journal.free()
        reports.add(handed.id, .refused, .noDescriptor)
    }

    /// The worker has let go of a connection.
    func connectionEnded(
        _ connection: ClientConnection,
        _ event: ConnectionReport.Event,
        _ reason: ConnectionReport.Reason = .none
    ) {
        reports.add(connection.handed.id, event, reason)
        connections[ObjectIdentifier(connection)] = nil
        accounting.connectionsChanged()
        leaveIfDone()
    }

    /// More or fewer bytes wait for clients.
    func queueChanged(by bytes: Int) {
        bytesQueued += bytes
        scoreboard.set(bytesQueued: bytesQueued)
    }

    // MARK: Requests

    func requestBegan() { accounting.requestBegan() }
    func requestAbandoned() { accounting.requestAbandoned() }
    func streamBegan(_ connection: ClientConnection) { accounting.streamBegan(connection) }
    func requestEnded(_ connection: ClientConnection) { accounting.requestEnded(connection) }

    /// Says all counts again.
    func recount() { accounting.recount() }

    // MARK: The end

    /// Takes nothing new, lets go of what idles, and finishes the rest as the order says.
    ///
    /// A later order can only hasten an earlier one.
    func drain(_ order: DrainOrder) {
        if let drain {
            drain.tighten(order)
            drain.lookAtAll()
        } else {
            let drain = Drain(order, worker: self)
            self.drain = drain
            drain.lookAtAll()
        }
        leaveIfDone()
    }

    /// Whether the connection ends with its answer because the worker is about to leave.
    func closes(behind connection: ClientConnection) -> Bool {
        guard let drain else { return false }
        return !drain.policy.outlivesAnswer(isKept: connection.handed.isKept)
    }

    /// The supervisor died: nobody hands over connections any more, so finish like on a drain.
    func supervisorGone() {
        log.log(.warning, "the supervisor is gone; finishing what runs")
        drain(
            DrainOrder(
                softMilliseconds: WorkerTimeouts.orphanMilliseconds,
                hardMilliseconds: WorkerTimeouts.orphanMilliseconds
            )
        )
    }

    private func leaveIfDone() {
        guard isDraining, connections.isEmpty, !hasLeft else { return }
        hasLeft = true
        reports.flush()
        accounting.flush()
        _ = channel.send(.drained)
        loop.stop()
    }
}

/// Tells the supervisor that the loop turns.
private final class Heartbeat: TurnObserver {
    private let scoreboard: Scoreboard

    init(_ scoreboard: Scoreboard) {
        self.scoreboard = scoreboard
        super.init()
    }

    override func turnBegan(at now: UInt64) { scoreboard.turnBegan(at: now) }

    override func turnEnded(at now: UInt64) { scoreboard.turnEnded(at: now) }
}
