// SPDX-License-Identifier: Apache-2.0
import Config

/// The configured timeouts as the worker uses them, in nanoseconds.
struct WorkerTimeouts {
    /// How long a worker finishes its streams after the supervisor has died: longer than most
    /// answers, shorter than an operator's patience.
    static let orphanMilliseconds: UInt32 = 60_000

    let clientHead: UInt64
    let clientBody: UInt64
    let clientIdle: UInt64
    let idle: UInt64
    let firstContent: UInt64
    let upstream: UpstreamTimeouts

    init(_ config: TimeoutConfig) {
        clientHead = config.clientHead
        clientBody = config.clientBody
        clientIdle = config.clientIdle
        idle = config.idle
        firstContent = config.firstContent
        upstream = UpstreamTimeouts(
            connect: config.connect,
            headers: config.headers,
            idle: config.idle,
            total: config.total
        )
    }
}
