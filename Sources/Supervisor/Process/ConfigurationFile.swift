// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Metrics
import System

/// The configuration file, or the embedded default without one, with the command line's overrides.
final class ConfigurationFile: ConfigurationSource {
    private let path: String?
    private let overrides: ConfigOverrides
    private let loader: ConfigLoader

    init(path: String?, overrides: ConfigOverrides, environment: [String: String]) {
        self.path = path
        self.overrides = overrides
        loader = ConfigLoader(environment: environment)
    }

    override func read() -> ConfigurationReading {
        do throws(ConfigErrors) {
            let (config, bundle) = try loader.load(path: path, overrides: overrides)
            return .valid(FleetSettings(config, bundle))
        } catch {
            return .invalid(error.errors.map(\.description))
        }
    }
}

extension ConfigurationFile {
    /// A bundle with all its secrets.
    private static let bundleBytesMax = 8 << 20

    /// The settings in the memory that workers were started with; nil when it has none.
    static func settings(descriptor: Int32) -> FleetSettings? {
        do {
            let bytes = try Syscalls.contents(of: descriptor, limit: bundleBytesMax)
            guard let bundle = ConfigBundle(decoding: bytes.span) else { return nil }
            return FleetSettings(try bundle.config(), bundle)
        } catch {
            return nil
        }
    }
}

extension FleetSettings {
    init(_ config: Config, _ bundle: ConfigBundle) {
        let encoded = ByteBuffer(capacity: 4096)
        bundle.encode(to: encoded)
        var workers: Int?
        if case .count(let count) = config.workers { workers = count }
        self.init(
            listen: config.listen,
            status: config.statusListen,
            workers: workers,
            bundle: encoded.array,
            upstreams: config.upstreams.map {
                UpstreamDefinition(name: $0.name, provider: $0.kind.name.rawValue)
            },
            drain: config.timeouts.drain,
            // What the configuration allows to run is finished.
            replacedDrain: config.timeouts.total
        )
        fleet = config.fleet
        var shape = config
        shape.workers = .auto
        workerConfig = shape
    }
}
