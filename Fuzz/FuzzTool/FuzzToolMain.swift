// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Feeds random input to one parser: `FuzzTool NAME [--seed N] [--seconds N | --iterations N]`.
///
/// A run is made of its seed and nothing else, so the printed command repeats it. Exit codes: 0
/// nothing found, 1 a property broke (the input is printed), 64 wrong usage; a crash is a finding.
@main
struct FuzzToolMain {
    /// Every driver by name; a new one needs a line here and a file of its own.
    private static var drivers: [(name: String, run: (inout FuzzRun) -> Void)] {
        [
            ("json", JSONFuzz.run),
            ("http", HTTPFuzz.run),
            ("control", ControlFuzz.run),
            ("metrics", MetricsFuzz.run),
        ]
    }

    static func main() {
        var options = CommandLine.arguments.dropFirst()
        guard
            let name = options.popFirst(),
            let driver = drivers.first(where: { $0.name == name }),
            var run = FuzzRun(name: name, options: Array(options))
        else {
            let names = drivers.map(\.name).joined(separator: " | ")
            print("usage: FuzzTool \(names) [--seed N] [--seconds N | --iterations N]")
            exit(64)
        }
        print("\(name): seed \(run.seed)")
        driver.run(&run)
        print("\(name): \(run.iteration) inputs, nothing found")
    }
}
