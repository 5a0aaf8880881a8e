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
import System

/// One worker process: what its connections share, and its life from start to drain.
final class Worker {
    /// Most client connections of one worker: beyond it another worker, or the supervisor's queue,
    /// is the better place.
    static let connectionsMax = 16_384

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
    private(set) var isDraining = false
    /// The supervisor was told that nothing runs any more.
    private var hasLeft = false

    private(set) lazy var gateway = Gateway(worker: self)
    private(set) lazy var catalog = ModelCatalog(worker: self)
    private lazy var accounting = Accounting(worker: self)

    private let channel: ControlChannel
    private let metricsPipe: OwnedFD
    private let slot: Int
    private let hasLane: Bool
    private let generation: UInt32
    private(set) var connections: [ObjectIdentifier: ClientConnection] = [:]
    private var date = HTTPDate.Cache()
    private var dateTurn: UInt64 = .max
    private var drainGuard: DrainGuard?

    init(
        options: WorkerOptions,
        config: Config,
        loop: EventLoop,
        channel: ControlChannel,
        metricsPipe: consuming OwnedFD,
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
    }

    /// Tells the supervisor that connections are welcome.
    func start() throws(SystemError) {
        let handler = ControlHandler(channel: channel, worker: self)
        _ = try loop.register(channel.fd.raw, .read, handler)
        _ = channel.send(
            .ready(generation: generation, protocolVersion: ControlMessage.version)
        )
        if hasLane { lane.prepare() }
        for upstream in upstreams {
            if case .sap(let account) = upstream.service { account.prepare() }
        }
    }

    var slotNumber: Int { slot }
    var metricsDescriptor: Int32 { metricsPipe.raw }
    var generationNumber: UInt32 { generation }
    var connectionCount: Int { connections.count }

    /// The current date, looked up at most once per turn.
    func currentDate() -> HTTPDate.Cache {
        if dateTurn != loop.turns {
            dateTurn = loop.turns
            date.update(unixSeconds: Syscalls.wallClock().seconds)
        }
        return date
    }

    // MARK: Connections

    func accept(_ fd: consuming OwnedFD, id: UInt32) {
        if isDraining || connections.count >= Self.connectionsMax {
            reports.add(id, .refused, isDraining ? .draining : .overloaded)
            return
        }
        let connection = ClientConnection(worker: self, fd: fd, handoffID: id)
        connections[ObjectIdentifier(connection)] = connection
        metrics.count(.connectionsAccepted)
        reports.add(id, .received)
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

    func connectionClosed(_ connection: ClientConnection) {
        reports.add(connection.handoffID, .closed)
        forget(connection)
    }

    /// No byte was read: the supervisor's copy goes to another worker.
    func connectionGivenBack(_ connection: ClientConnection, _ reason: ConnectionReport.Reason) {
        reports.add(connection.handoffID, .refused, reason)
        forget(connection)
    }

    private func forget(_ connection: ClientConnection) {
        connections[ObjectIdentifier(connection)] = nil
        accounting.connectionsChanged()
        leaveIfDone()
    }

    // MARK: Requests

    func requestBegan() { accounting.requestBegan() }
    func requestAbandoned() { accounting.requestAbandoned() }
    func streamBegan() { accounting.streamBegan() }
    func requestEnded(_ connection: ClientConnection) { accounting.requestEnded(connection) }

    // MARK: The end

    /// Takes nothing new, closes what idles, lets the rest finish.
    func drain(deadlineMilliseconds: UInt64) {
        guard !isDraining else { return }
        isDraining = true
        for connection in connections.values { connection.drain() }
        let watch = DrainGuard(worker: self)
        drainGuard = watch
        let due = loop.now &+ deadlineMilliseconds &* 1_000_000
        _ = loop.schedule(at: due, watch, kind: 0)
        leaveIfDone()
    }

    /// The supervisor died: nobody hands over connections any more, so finish like on a drain.
    func supervisorGone() {
        log.log(.warning, "the supervisor is gone; finishing what runs")
        drain(deadlineMilliseconds: WorkerTimeouts.orphanMilliseconds)
    }

    private func leaveIfDone() {
        guard isDraining, connections.isEmpty, !hasLeft else { return }
        hasLeft = true
        reports.flush()
        accounting.flush()
        _ = channel.send(.drained)
        loop.stop()
    }

    /// The drain took too long: what still runs is cut.
    fileprivate func drainDeadlinePassed() {
        for connection in Array(connections.values) { connection.abort() }
        leaveIfDone()
    }
}

/// Brings the drain deadline to the worker.
private final class DrainGuard: EventHandler {
    private let worker: Worker

    init(worker: Worker) {
        self.worker = worker
        super.init()
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        worker.drainDeadlinePassed()
    }
}
