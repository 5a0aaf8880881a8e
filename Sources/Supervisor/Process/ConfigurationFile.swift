// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Metrics

/// The configuration as `ConfigLoader` finds it, read anew for each reload.
final class ConfigurationFile: ConfigurationSource {
    private let path: String?
    private let overrides: ConfigOverrides
    private let loader: ConfigLoader

    /// `overrides` are those of the command line: they win in reloads, too.
    init(path: String?, overrides: ConfigOverrides) {
        self.path = path
        self.overrides = overrides
        loader = ConfigLoader(environment: ConfigLoader.processEnvironment())
    }

    override func read() -> ConfigurationReading {
        do throws(ConfigErrors) {
            let (config, bundle) = try loader.load(path: path, overrides: overrides)
            return .valid(Self.settings(config, bundle))
        } catch {
            return .invalid(error.errors.map(\.description))
        }
    }

    private static func settings(_ config: Config, _ bundle: ConfigBundle) -> FleetSettings {
        let buffer = ByteBuffer()
        bundle.encode(to: buffer)
        let workers: Int? =
            switch config.workers {
            case .auto: nil
            case .count(let count): count
            }
        return FleetSettings(
            listen: config.listen,
            status: config.statusListen,
            workers: workers,
            bundle: buffer.array,
            upstreams: config.upstreams.map {
                UpstreamDefinition(name: $0.name, provider: provider(of: $0.kind))
            },
            drain: config.timeouts.drain,
            // The longest request that the configuration allows is finished.
            replacedDrain: config.timeouts.total
        )
    }

    /// `gen_ai.provider.name` of the OpenTelemetry conventions.
    private static func provider(of kind: UpstreamConfig.Kind) -> String {
        switch kind {
        case .openai: "openai"
        case .demo: "demo"
        }
    }
}
