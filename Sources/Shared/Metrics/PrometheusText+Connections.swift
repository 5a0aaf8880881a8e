// SPDX-License-Identifier: Apache-2.0

/// Families of connections on their way from a listener to a worker.
extension PrometheusText {
    func connections() {
        listeners()
        writer.family(
            "apus_connections_rejected_total",
            "Connections refused, by reason.",
            by: "reason",
            snapshot.rejections
        ) { $0.label }
        writer.family(
            "apus_connections_handoff_total",
            "Connections handed to workers, by result.",
            by: "result",
            snapshot.handoffs
        ) { $0.label }
        writer.family(
            "apus_connections_handoff_inflight",
            .gauge,
            "Connections sent to a worker that has not confirmed them.",
            snapshot.handoffsInFlight
        )
        writer.family(
            "apus_handoff_send_eagain_total",
            .counter,
            "Handovers that waited because a worker's socket was full.",
            snapshot.handoffsBlocked
        )
        writer.family(
            "apus_handoff_duration_seconds",
            "From sending a connection to the worker's confirmation.",
            snapshot.handoffDuration
        )
        writer.family(
            "apus_crash_answers_total",
            "What became of connections whose worker died.",
            by: "kind",
            snapshot.crashAnswers
        ) { $0.label }
        writer.family(
            "apus_pending_connections",
            .gauge,
            "Connections waiting for a worker.",
            snapshot.connectionsPending
        )
        writer.family(
            "apus_pending_timeouts_total",
            .counter,
            "Connections that waited for a worker for too long.",
            snapshot.pendingTimeouts
        )
        writer.family(
            "apus_pending_wait_seconds",
            "From accepting a connection to sending it to a worker.",
            snapshot.pendingWait
        )
    }

    private func listeners() {
        writer.family(
            "apus_connections_accepted_total",
            .counter,
            "Connections accepted, by listener."
        )
        for listener in snapshot.listeners {
            writer.sample(
                "apus_connections_accepted_total",
                [("listener", .text(listener.address))],
                listener.accepted
            )
        }
        perListener(
            "apus_accept_queue_length",
            "Connections waiting in the kernel.",
            \.acceptQueue
        )
        perListener(
            "apus_accept_queue_limit",
            "Connections that may wait there.",
            \.acceptQueueLimit
        )
        writer.family(
            "apus_accept_paused_seconds_total",
            .counter,
            "Time for which listeners did not accept, by reason."
        )
        for reason in FleetSnapshot.PauseReason.allCases {
            writer.sample(
                "apus_accept_paused_seconds_total",
                [("reason", .fixed(reason.label))],
                nanoseconds: snapshot.acceptPauses[reason]
            )
        }
    }

    private func perListener(
        _ name: StaticString,
        _ help: StaticString,
        _ value: KeyPath<FleetSnapshot.Listener, UInt64?>
    ) {
        writer.family(name, .gauge, help)
        for listener in snapshot.listeners {
            guard let value = listener[keyPath: value] else { continue }
            writer.sample(name, [("listener", .text(listener.address))], value)
        }
    }
}
