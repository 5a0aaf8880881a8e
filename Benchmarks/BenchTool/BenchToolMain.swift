// SPDX-License-Identifier: Apache-2.0
import Bytes
import System

/// The load side of `make bench`: an upstream, a load generator, a holder of idle connections.
///
/// It frames HTTP with its own few lines instead of the product's codec: a fault in that codec
/// must not hide itself by being on both sides of the wire.
@main
struct BenchToolMain {
    static let usage = """
        usage: BenchTool mock   --listen ADDR [--stream yes] [--body-bytes N] [--delay-ms N]
                                [--chunks N] [--chunk-bytes N] [--interval-us N]
               BenchTool load   --url http://IP:PORT/PATH [--connections N] [--seconds N]
                                [--requests N] [--new-connections yes] [--body FILE]
                                [--header 'name: value']... [--expect-bytes N]
                                [--expect-text TEXT] [--stream yes] [--expect-events N] [--ramp-ms N]
               BenchTool idle   --url http://IP:PORT/PATH [--count N] [--hold-seconds N]

        mock answers every POST: a fixed chat completion, or with --stream yes a stream of events.
        load prints one line of JSON. idle prints "held N", then waits for SIGTERM or its time.

        """

    static func main() {
        Syscalls.ignoreBrokenPipes()
        do {
            try raiseDescriptorLimit()
            var options = try Options(CommandLine.arguments.dropFirst())
            switch options.command {
            case "mock": try MockServer(try MockSettings(&options)).run()
            case "load": try LoadGenerator(try LoadSettings(&options)).run()
            case "idle": try IdleHolder(try IdleSettings(&options)).run()
            default: throw UsageError("unknown command '\(options.command)'")
            }
        } catch let error as UsageError {
            write("\(error.text)\n\n\(usage)", to: 2)
            Syscalls.exitNow(64)
        } catch {
            write("BenchTool: \(error)\n", to: 2)
            Syscalls.exitNow(1)
        }
    }

    /// Thousands of connections in one process need more than the usual soft limit of 1,024.
    private static func raiseDescriptorLimit() throws(Errno) {
        let limit = try Syscalls.descriptorLimit()
        try Syscalls.setDescriptorLimit(soft: limit.hard)
    }

    /// Writes a short text to a descriptor whose reader may be gone.
    static func write(_ text: String, to fd: Int32) {
        _ = ByteBuffer(text).withBytes { Syscalls.write(fd, $0) }
    }
}
