// SPDX-License-Identifier: Apache-2.0
import JSON

/// Workers and connections, as the supervisor sees them.
extension StatusJSON {
    func workers(_ json: inout JSONWriter) {
        json.object("workers") { json in
            json.member("configured", snapshot.workersConfigured)
            json.member("reason", snapshot.workersReason)
            for state in FleetSnapshot.WorkerState.allCases {
                json.member(state.label, UInt64(clamping: snapshot.workers(in: state)))
            }
            json.object("restarts") { $0.counts(snapshot.restarts) { $0.label } }
            Self.append("boot", snapshot.bootDuration, to: &json)
        }
    }

    func drain(_ json: inout JSONWriter) {
        json.object("drain") { json in
            json.member("active", snapshot.drain != nil)
            json.member("remaining_streams", snapshot.drain?.remainingStreams)
            json.member("oldest_stream_s", snapshot.drain?.oldestStreamSeconds)
            json.member("deadline_left_s", snapshot.drain?.deadlineSeconds)
            json.object("aborted_streams") { $0.counts(snapshot.streamsAborted) { $0.label } }
        }
    }

    func connections(_ json: inout JSONWriter) {
        json.array("listeners") { json in
            for listener in snapshot.listeners {
                json.object { json in
                    json.member("address", listener.address)
                    json.member("accepted", listener.accepted)
                    json.member("accept_queue", listener.acceptQueue)
                    json.member("accept_queue_limit", listener.acceptQueueLimit)
                    json.member("paused_reason", listener.pausedReason)
                }
            }
        }
        json.object("accept_paused_s") { json in
            for reason in FleetSnapshot.PauseReason.allCases {
                json.seconds(reason.label, snapshot.acceptPauses[reason])
            }
        }
        let accepted = snapshot.listeners.reduce(UInt64(0)) { $0.addingSaturated($1.accepted) }
        json.object("connections") { json in
            json.member("active", totals.sums.value(.connectionsActive))
            json.member("idle", totals.sums.value(.connectionsIdle))
            json.member("accepted", accepted)
            json.member("pending", snapshot.connectionsPending)
            json.member("rejected", snapshot.connectionsRejected)
            json.object("rejected_by_reason") { $0.counts(snapshot.rejections) { $0.label } }
            json.object("crash_answers") { $0.counts(snapshot.crashAnswers) { $0.label } }
            json.member("bytes_in", totals.sums.value(.clientBytesIn))
            json.member("bytes_out", totals.sums.value(.clientBytesOut))
        }
        json.object("streams") { $0.member("open", totals.sums.value(.streamsOpen)) }
    }

    func handoff(_ json: inout JSONWriter) {
        json.object("handoff") { json in
            json.member("inflight", snapshot.handoffsInFlight)
            json.counts(snapshot.handoffs) { $0.label }
            json.member("send_eagain", snapshot.handoffsBlocked)
            Self.append("duration", snapshot.handoffDuration, to: &json)
        }
        json.object("queue") { json in
            json.member("len", snapshot.connectionsPending)
            json.member("oldest_ms", snapshot.pendingOldestMilliseconds)
            json.member("timeouts", snapshot.pendingTimeouts)
            Self.append("wait", snapshot.pendingWait, to: &json)
        }
    }

    // MARK: Processes

    func processes(_ json: inout JSONWriter) {
        json.array("processes") { json in
            for worker in snapshot.workers {
                json.object { json in
                    Self.append(worker, to: &json)
                    Self.append(fleet.worker(worker.id), to: &json)
                    json.name("last_exit")
                    if let exit = worker.lastExit {
                        json.object { Self.append(exit, to: &$0) }
                    } else {
                        json.null()
                    }
                }
            }
        }
    }

    private static func append(_ worker: FleetSnapshot.Worker, to json: inout JSONWriter) {
        json.member("slot", worker.id.slot)
        json.member("generation", Int(worker.id.generation))
        json.member("pid", worker.pid)
        json.member("exe_version", worker.version)
        json.member("state", worker.state.label)
        json.member("ready_at", worker.readyAt)
        json.member("last_tick_ms", worker.heartbeatAge)
        json.member("loop_lag_us", worker.loopLagMicroseconds)
        json.member("restarts", worker.restarts)
        json.member("rss", worker.residentBytes)
        json.member("pss", worker.proportionalBytes)
        json.seconds("cpu_s", worker.processorNanoseconds)
        json.member("fds", worker.openDescriptors)
        json.member("fd_limit", worker.descriptorLimit)
        json.member("conns", worker.connections)
        json.member("oldest_stream_s", worker.oldestStreamSeconds)
        json.member("bytes_queued", worker.queuedBytes)
        json.member("backoff_left_s", worker.backoffSeconds)
        json.member("drain_left_s", worker.drainSeconds)
        json.member("draining_streams", worker.drainingStreams)
    }

    private static func append(_ metrics: MetricTotals?, to json: inout JSONWriter) {
        json.member("conns_active", metrics?.value(.connectionsActive))
        json.member("conns_idle", metrics?.value(.connectionsIdle))
        json.member("streams", metrics?.value(.streamsOpen))
        json.member("requests", metrics?.requests)
        json.member("requests_in_flight", metrics?.value(.requestsInFlight))
        json.member("bytes_out", metrics?.value(.clientBytesOut))
    }

    private static func append(_ exit: FleetSnapshot.Exit, to json: inout JSONWriter) {
        json.member("code", exit.code)
        json.member("signal", exit.signal)
        json.member("reason", exit.reason.label)
        json.member("at", exit.at)
        json.member("request_id", exit.requestID)
        json.array("backtrace") { json in
            for frame in exit.backtrace { json.value(frame) }
        }
        json.member("output", exit.output)
    }
}
