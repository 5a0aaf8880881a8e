// SPDX-License-Identifier: Apache-2.0

/// The closed sets of a snapshot: each is a label of a metric or a key of the status document.
extension FleetSnapshot {
    package enum State: UInt8, CaseIterable {
        case starting
        case running
        case reloading
        case draining
        case degraded

        package var label: StaticString {
            switch self {
            case .starting: "starting"
            case .running: "running"
            case .reloading: "reloading"
            case .draining: "draining"
            case .degraded: "degraded"
            }
        }
    }

    package enum WorkerState: UInt8, CaseIterable {
        case booting
        /// The first one of a new configuration: it has to answer a request before others are started.
        case probing
        case ready
        case draining
        /// Waiting before the next start after a crash.
        case backoff
        case failed

        package var label: StaticString {
            switch self {
            case .booting: "booting"
            case .probing: "probing"
            case .ready: "ready"
            case .draining: "draining"
            case .backoff: "backoff"
            case .failed: "failed"
            }
        }
    }

    /// Why a worker was replaced.
    package enum RestartReason: UInt8, CaseIterable {
        case crash
        case exit
        case bootFailed
        /// It gave no sign of life any more.
        case hang
        /// Somebody stopped the process from outside.
        case stopped
        /// It sent something that follows no rule.
        case protocolError
        case reload
        case upgrade
        /// It had used up what one process may use.
        case recycle
        /// A SIGKILL that the supervisor did not send, and the control group counted one more
        /// process killed for want of memory.
        case outOfMemory

        package var label: StaticString {
            switch self {
            case .crash: "crash"
            case .exit: "exit"
            case .bootFailed: "boot_failed"
            case .hang: "hang"
            case .stopped: "stopped"
            case .protocolError: "protocol"
            case .reload: "reload"
            case .upgrade: "upgrade"
            case .recycle: "recycle"
            case .outOfMemory: "out_of_memory"
            }
        }
    }

    /// What a change of the fleet was.
    package enum ReloadKind: UInt8, CaseIterable {
        case reload
        case scale
        case upgrade

        package var label: StaticString {
            switch self {
            case .reload: "reload"
            case .scale: "scale"
            case .upgrade: "upgrade"
            }
        }
    }

    /// What became of a connection that was handed to a worker.
    package enum HandoffResult: UInt8, CaseIterable {
        case acknowledged
        case requeued
        case refused
        /// Given back unread by a worker that leaves.
        case returned
        /// Taken back from a worker that did not begin with it.
        case revoked
        case lost

        package var label: StaticString {
            switch self {
            case .acknowledged: "acked"
            case .requeued: "requeued"
            case .refused: "nack"
            case .returned: "returned"
            case .revoked: "revoked"
            case .lost: "lost"
            }
        }
    }

    /// Why a connection was refused.
    package enum RejectionReason: UInt8, CaseIterable {
        /// It had waited for a worker for too long.
        case queueAge
        case noDescriptors
        case stopping
        /// Its worker died, and it could not be given to another one.
        case crashed

        package var label: StaticString {
            switch self {
            case .queueAge: "queue_age"
            case .noDescriptors: "no_descriptors"
            case .stopping: "stopping"
            case .crashed: "crashed"
            }
        }
    }

    /// What the supervisor could do for a client whose worker died.
    package enum CrashAnswer: UInt8, CaseIterable {
        /// A 503 was written.
        case unavailable
        /// A stream got an error event as its end.
        case streamEnded
        /// An idle connection went to another worker.
        case moved
        /// It could only be closed.
        case closed

        package var label: StaticString {
            switch self {
            case .unavailable: "unavailable"
            case .streamEnded: "stream_ended"
            case .moved: "moved"
            case .closed: "closed"
            }
        }
    }

    /// Why a listener did not accept.
    package enum PauseReason: UInt8, CaseIterable {
        /// As many connections wait for a worker as may.
        case full
        case descriptors
        case error

        package var label: StaticString {
            switch self {
            case .full: "full"
            case .descriptors: "no_descriptors"
            case .error: "error"
            }
        }
    }

    /// Why a stream was cut while its worker was drained.
    package enum AbortReason: UInt8, CaseIterable {
        case deadline

        package var label: StaticString {
            switch self {
            case .deadline: "deadline"
            }
        }
    }
}
