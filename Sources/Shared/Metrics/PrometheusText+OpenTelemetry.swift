// SPDX-License-Identifier: Apache-2.0

import Bytes

/// Families with the names of the OpenTelemetry GenAI conventions.
extension PrometheusText {
    /// The two families of the GenAI conventions that need no attribute we do not bound.
    func openTelemetry() {
        writer.family(
            "gen_ai_client_operation_duration_seconds",
            .histogram,
            "Time of the upstream's answer."
        )
        forEachOperation { operation, definition, block in
            var merged = Histogram()
            for route in Route.allCases where route.operation == operation {
                merged.add(block.histogram(route, .upstream))
            }
            guard merged.count > 0 else { return }
            writer.histogram(
                "gen_ai_client_operation_duration_seconds",
                labels(operation, definition),
                merged,
                .operation
            )
        }
        writer.family("gen_ai_client_token_usage", .histogram, "Tokens per request.")
        forEachOperation { operation, definition, block in
            usage(operation, definition, block, .input)
            usage(operation, definition, block, .output)
        }
    }

    private func forEachOperation(
        _ body: (Operation, UpstreamDefinition, UpstreamTotals) -> Void
    ) {
        for (definition, block) in totals.upstreams where definition != .none {
            for operation in Operation.allCases {
                body(operation, definition, block)
            }
        }
    }

    private func labels(
        _ operation: Operation,
        _ definition: UpstreamDefinition
    ) -> [PrometheusWriter.Label] {
        [
            ("gen_ai_operation_name", .fixed(operation.label)),
            ("gen_ai_provider_name", .text(definition.provider)),
            ("upstream", .text(definition.name)),
        ]
    }

    private func usage(
        _ operation: Operation,
        _ definition: UpstreamDefinition,
        _ block: UpstreamTotals,
        _ type: TokenType
    ) {
        let first = Cells.usage(operation, output: type == .output)
        let buckets = block.cells[first..<first + Cells.usageBuckets]
        let count: UInt64 = buckets.reduce(0) { $0.addingSaturated($1) }
        guard count > 0 else { return }
        let labels =
            labels(operation, definition) + [("gen_ai_token_type", .fixed(type.label))]
        let boundaries: [StaticString] = [
            "1", "4", "16", "64", "256", "1024", "4096", "16384", "65536", "262144", "1048576",
            "4194304", "16777216", "67108864", "+Inf",
        ]
        let name: StaticString = "gen_ai_client_token_usage"
        var cumulative: UInt64 = 0
        for (boundary, bucket) in zip(boundaries, buckets) {
            cumulative = cumulative.addingSaturated(bucket)
            writer.line(name, "_bucket", labels, upTo: boundary)
            writer.out.append(decimal: UInt(cumulative))
            writer.out.append("\n")
        }
        let sum = Route.allCases.filter { $0.operation == operation }
            .reduce(UInt64(0)) { $0.addingSaturated(block.tokens($1, type)) }
        writer.line(name, "_sum", labels)
        writer.out.append(decimal: UInt(sum))
        writer.out.append("\n")
        writer.line(name, "_count", labels)
        writer.out.append(decimal: UInt(count))
        writer.out.append("\n")
    }
}
