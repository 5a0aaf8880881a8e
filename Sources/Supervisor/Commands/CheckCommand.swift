// SPDX-License-Identifier: Apache-2.0
import Config

/// `apus check`: says what a configuration means, or everything that is wrong with it.
struct CheckCommand: Equatable {
    var configPath: String?

    func run() -> Int32 {
        let loader = ConfigLoader(environment: ConfigLoader.processEnvironment())
        do throws(ConfigErrors) {
            let (config, bundle) = try loader.load(path: configPath)
            return TextOutput.standard.write("\(bundle.file): ok\n\n\(config.summary)")
        } catch {
            TextOutput.error.write(error.description + "\n")
            return ExitCode.badConfiguration
        }
    }
}
