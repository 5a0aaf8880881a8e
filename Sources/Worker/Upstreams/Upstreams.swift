// SPDX-License-Identifier: Apache-2.0
import Loop

/// The upstream lane of a worker: requests out, responses in.
///
/// libcurl makes the connections (names, proxies, TLS, certificates), the HTTP module's codec speaks
/// HTTP/1.1 over them, and connections, timeouts and retries of stale ones are kept here.
final class Upstreams {
    private let resources: LaneResources
    private let pools: [UpstreamPool]

    /// Keeps the settings; opens nothing and does not start libcurl.
    init(settings: [UpstreamSettings], loop: EventLoop) {
        let resources = LaneResources(loop: loop)
        self.resources = resources
        pools = settings.map { UpstreamPool($0, resources: resources) }
    }

    /// Starts libcurl, which the first connection would do otherwise: a few ms that a worker can
    /// spend after it has said that it is ready.
    ///
    /// Reads no CA file; the first TLS connection does.
    func prepare() {
        _ = resources.makeMulti()
    }

    /// Sends a request.
    ///
    /// The sink hears of it later, never from inside this call.
    func begin(
        upstream index: Int,
        _ request: UpstreamRequest,
        _ sink: UpstreamSink
    ) -> UpstreamCall {
        let pool = pools[index]
        let call = UpstreamCall(request, sink, pool: pool, loop: resources.loop)
        pool.begin(call)
        return call
    }

    func settings(_ index: Int) -> UpstreamSettings { pools[index].settings }

    /// Connections that exist or are being made.
    func openConnections(_ index: Int) -> Int { pools[index].openConnections }
    func idleConnections(_ index: Int) -> Int { pools[index].idleConnections }
    func waitingCalls(_ index: Int) -> Int { pools[index].waitingCalls }
    func counters(_ index: Int) -> UpstreamCounters { pools[index].counters }

    /// Buffers that calls hold at present; 0 when all connections idle.
    var buffersInUse: Int { resources.buffers.taken }

    /// Closes idle connections; those in use close when their call ends.
    func drainIdle() {
        for pool in pools { pool.drainIdle() }
    }

    /// Closes idle connections and libcurl's part.
    ///
    /// Calls must have ended or been cancelled before.
    func close() {
        for pool in pools { pool.close() }
        resources.close()
    }
}
