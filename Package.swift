// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// Every process has one thread that runs Swift: libcurl's resolver threads run C only. So release
// builds count references without atomics (28 % of a proxied request's user CPU before, 11 % after)
// and leave the run-time checks of overlapping accesses (7 %) to debug builds, where all tests run.
let strict: [SwiftSetting] = [
    .unsafeFlags(
        ["-enforce-exclusivity=unchecked", "-Xfrontend", "-assume-single-threaded"],
        .when(configuration: .release)
    ),
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func shared(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: "Sources/Shared/\(name)",
        swiftSettings: strict
    )
}

/// A pure part of the worker, on its own so that its tests build without the rest.
func worker(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: "Sources/Worker/\(name)",
        swiftSettings: strict
    )
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies + ["Support"],
        swiftSettings: strict
    )
}

let package = Package(
    name: "apus",
    products: [
        .executable(name: "apus", targets: ["Supervisor"]),
        .executable(name: "apus-worker", targets: ["Worker"]),
    ],
    targets: [
        .target(
            name: "CLinux",
            cSettings: [.define("APUS_FAULTS", .when(configuration: .debug))],
            // Rounding of floating-point numbers ends up in libm.
            linkerSettings: [.linkedLibrary("m")]
        ),
        .systemLibrary(
            name: "CLibcurl",
            path: "Sources/CLibcurl",
            pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"])]
        ),
        .target(name: "CCurl", dependencies: ["CLibcurl"]),

        shared("Bytes"),
        shared("System", ["Bytes", "CLinux"]),
        shared("Loop", ["System", "CLinux"]),
        shared("HTTP", ["Bytes"]),
        shared("JSON", ["Bytes"]),
        shared("Config", ["Bytes", "JSON", "System"]),
        shared("Control", ["Bytes", "System"]),
        shared("Scoreboard", ["System"]),
        shared("Metrics", ["Bytes", "JSON"]),
        shared("Log", ["Bytes", "System"]),

        worker("Dialects", ["Bytes", "HTTP", "JSON", "Metrics"]),
        worker("Policy", []),
        worker("Providers", ["Bytes", "HTTP", "JSON", "Config"]),

        .executableTarget(
            name: "Supervisor",
            dependencies: [
                "Bytes", "System", "Loop", "HTTP", "JSON", "Config", "Control", "Scoreboard",
                "Metrics",
                "Log",
            ],
            // As an array in generated code: nothing to install beside the binary, no Foundation to
            // find it, and no pointer to C's memory, as `#embed` or `.incbin` would need.
            resources: [.embedInCode("Status/Dashboard")],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "Worker",
            dependencies: [
                "Bytes", "System", "Loop", "HTTP", "JSON", "Config", "Control", "Scoreboard",
                "Metrics",
                "Log", "CCurl", "Dialects", "Policy", "Providers",
            ],
            exclude: ["Dialects", "Policy", "Providers"],
            swiftSettings: strict,
            linkerSettings: [.linkedLibrary("m")]
        ),

        .executableTarget(
            name: "BenchTool",
            dependencies: ["Bytes", "System", "Loop", "HTTP"],
            path: "Benchmarks/BenchTool",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "FuzzTool",
            dependencies: ["Bytes", "HTTP", "JSON", "Control", "Metrics", "Config"],
            path: "Fuzz/FuzzTool",
            swiftSettings: strict
        ),

        .target(
            name: "Support",
            dependencies: ["Bytes", "System"],
            path: "Tests/Support",
            swiftSettings: strict
        ),
        tests("BytesTests", ["Bytes"]),
        tests("SystemTests", ["Bytes", "System"]),
        tests("LoopTests", ["Bytes", "System", "Loop"]),
        tests("HTTPTests", ["Bytes", "HTTP"]),
        tests("JSONTests", ["Bytes", "JSON"]),
        tests("ConfigTests", ["Bytes", "JSON", "Config", "System"]),
        tests("ControlTests", ["Bytes", "System", "Control"]),
        tests("ScoreboardTests", ["System", "Scoreboard"]),
        tests("MetricsTests", ["Bytes", "JSON", "Metrics"]),
        tests("LogTests", ["Bytes", "JSON", "System", "Log"]),
        tests("DialectsTests", ["Bytes", "HTTP", "JSON", "Metrics", "Dialects"]),
        tests("PolicyTests", ["Policy"]),
        tests("ProvidersTests", ["Bytes", "HTTP", "JSON", "Config", "Providers"]),
        tests(
            "SupervisorTests",
            [
                "Supervisor", "Bytes", "System", "Loop", "HTTP", "Control", "Scoreboard",
                "Metrics", "Config",
                "Log",
            ]
        ),
        tests(
            "WorkerTests",
            [
                "Worker", "Supervisor", "Bytes", "System", "Loop", "HTTP", "JSON", "Config",
                "Control", "Scoreboard", "Metrics", "Log",
                "Dialects", "Policy", "Providers",
            ]
        ),
        tests("BlackBoxTests", ["Bytes", "System", "HTTP", "JSON"]),
    ]
)
