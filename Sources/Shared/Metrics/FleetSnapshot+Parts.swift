// SPDX-License-Identifier: Apache-2.0

/// The parts of a snapshot.
extension FleetSnapshot {
    package struct Listener {
        package var address: String
        package var accepted: UInt64 = 0
        /// Connections that wait in the kernel, and how many may; nil where it is not known.
        package var acceptQueue: UInt64?
        package var acceptQueueLimit: UInt64?
        /// Why accepting rests; nil while it does not.
        package var pausedReason: String?

        package init(address: String) {
            self.address = address
        }
    }

    /// What the supervisor process itself uses.
    package struct Supervisor {
        package var residentBytes: UInt64?
        /// Nanoseconds of CPU time.
        package var processorNanoseconds: UInt64?
        /// How late timers and turns of its loop were.
        package var loopLag = Histogram()

        package init() {}
    }

    /// What bounds the fleet; nil where it is not known or not limited.
    package struct Limits {
        /// Descriptors that the supervisor may open, and has open.
        package var descriptors: UInt64?
        package var descriptorsOpen: UInt64?
        /// Connections that the kernel lets wait for accept(2), at most.
        package var somaxconn: UInt64?
        /// CPU time per time, in thousandths of a core.
        package var processorMillicores: UInt64?
        /// Bytes of memory of the control group.
        package var memoryBytes: UInt64?

        package init() {}
    }

    /// One change of the fleet that was asked for.
    package struct Reload: Equatable {
        /// Seconds since 1970 of its end.
        package var at: Int
        package var kind: ReloadKind
        package var isSuccessful: Bool
        /// Number of the configuration that was in use afterwards.
        package var generation: UInt32
        /// Why it failed, or what it did; empty when there is nothing to say.
        package var reason: String
        package var durationMilliseconds: Int

        package init(
            at: Int,
            kind: ReloadKind,
            isSuccessful: Bool,
            generation: UInt32,
            reason: String,
            durationMilliseconds: Int
        ) {
            self.at = at
            self.kind = kind
            self.isSuccessful = isSuccessful
            self.generation = generation
            self.reason = reason
            self.durationMilliseconds = durationMilliseconds
        }
    }

    /// How far a drain is.
    package struct Drain {
        package var remainingStreams: UInt64
        /// Seconds for which the oldest of them has run; nil without one.
        package var oldestStreamSeconds: Int?
        /// Seconds until what still runs is cut; nil without a deadline.
        package var deadlineSeconds: Int?

        package init(
            remainingStreams: UInt64,
            oldestStreamSeconds: Int? = nil,
            deadlineSeconds: Int? = nil
        ) {
            self.remainingStreams = remainingStreams
            self.oldestStreamSeconds = oldestStreamSeconds
            self.deadlineSeconds = deadlineSeconds
        }
    }

    /// How the last process of a slot ended.
    package struct Exit {
        /// Frames that are kept.
        ///
        /// Limit: the top of a stack tells what happened; a deep recursion would fill the page.
        package static let framesMax = 32
        /// Bytes of one frame.
        ///
        /// Limit: names of generic functions can be pages long, and their beginning says enough.
        package static let frameBytesMax = 240

        package var code: Int?
        package var signal: Int?
        package var reason: RestartReason
        /// Seconds since 1970.
        package var at: Int
        /// The request that it worked on; nil where it is not known.
        package var requestID: String?
        /// Where it stood, the innermost frame first; empty where it is not known.
        package var backtrace: [String]
        /// The last lines that it printed, as a trap of the runtime; nil where it printed nothing.
        package var output: String?

        package init(
            code: Int?,
            signal: Int?,
            reason: RestartReason,
            at: Int,
            requestID: String? = nil,
            backtrace: [String] = [],
            output: String? = nil
        ) {
            self.code = code
            self.signal = signal
            self.reason = reason
            self.at = at
            self.requestID = requestID
            self.output = output
            self.backtrace = backtrace.prefix(Self.framesMax).map { frame in
                frame.utf8.count <= Self.frameBytesMax
                    ? frame : String(decoding: frame.utf8.prefix(Self.frameBytesMax), as: UTF8.self)
            }
        }
    }

    /// One process, or a slot that waits for one.
    package struct Worker {
        package var id: WorkerID
        package var pid: Int?
        /// Release of the program that it runs; nil where it is not known.
        package var version: String?
        package var state: WorkerState
        /// Seconds since 1970.
        package var readyAt: Int?
        /// Milliseconds since the last sign of life.
        package var heartbeatAge: Int?
        /// Microseconds by which its loop was late at the last sign of life.
        package var loopLagMicroseconds: Int?
        package var restarts: UInt64 = 0
        /// Bytes of resident memory, and of it the share of this process.
        package var residentBytes: UInt64?
        package var proportionalBytes: UInt64?
        /// Nanoseconds of CPU time.
        package var processorNanoseconds: UInt64?
        package var openDescriptors: UInt64?
        package var descriptorLimit: UInt64?
        /// Connections that the dispatcher counts for it.
        package var connections: UInt64 = 0
        /// Seconds for which its oldest stream has run; nil without one.
        package var oldestStreamSeconds: Int?
        /// Bytes that wait for clients to take them.
        package var queuedBytes: UInt64?
        /// Seconds until the next start; nil outside of `backoff`.
        package var backoffSeconds: Int?
        /// Seconds until what still runs is cut; nil outside of `draining`.
        package var drainSeconds: Int?
        /// Streams that still run; nil outside of `draining`.
        package var drainingStreams: UInt64?
        package var lastExit: Exit?

        package init(id: WorkerID, state: WorkerState) {
            self.id = id
            self.state = state
        }
    }
}
