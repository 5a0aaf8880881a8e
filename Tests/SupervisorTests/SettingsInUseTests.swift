// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@testable import Supervisor

@Suite struct SettingsInUseTests {
    /// Workers as the default has them, but for the bytes that a request may have.
    private func settings(_ bytesMax: Int, workers: Int) throws -> FleetSettings {
        let loader = ConfigLoader(environment: [:], pathDefault: "/nonexistent/apus.json")
        let (config, bundle) = try loader.load(path: nil, overrides: ConfigOverrides())
        var settings = FleetSettings(config, bundle)
        settings.workers = workers
        settings.workerConfig?.bodyBytesMax = bytesMax
        return settings
    }

    @Test("Only their number is no change to workers; anything else is, and so is nothing")
    func changes() throws {
        let old = try settings(1, workers: 2)
        #expect(try !settings(1, workers: 3).changesWorkers(from: old))
        #expect(try settings(2, workers: 3).changesWorkers(from: old))
        #expect(try settings(2, workers: 2).changesWorkers(from: old))
        // Reloaded as it is: files that it names may have changed.
        #expect(try settings(1, workers: 2).changesWorkers(from: old))
        var unknown = try settings(1, workers: 3)
        unknown.workerConfig = nil
        #expect(unknown.changesWorkers(from: old))
        #expect(try settings(1, workers: 3).changesWorkers(from: unknown))
    }

    static let failures: [ReloadResult] = [
        .canaryFailed(.probeFailed), .rolledBack(.timedOut), .invalid, .abandoned,
    ]

    @Test(
        "Settings that did not work are not what the next ones are compared with",
        arguments: failures
    )
    func failed(result: ReloadResult) throws {
        var inUse = SettingsInUse(try settings(1, workers: 2))
        _ = inUse.read(try settings(2, workers: 2))
        let isChanged = inUse.reloadEnded(result)
        let old = try settings(1, workers: 2)
        #expect(!isChanged && inUse.current == old)
        // Compared with the failed ones this would be only another number, and no worker would
        // ever get them.
        let changesWorkers = inUse.read(try settings(2, workers: 5))
        #expect(changesWorkers)
    }

    @Test("Settings that work are in use when the reload has ended, not before")
    func succeeded() throws {
        var inUse = SettingsInUse(try settings(1, workers: 2))
        _ = inUse.read(try settings(2, workers: 2))
        let old = try settings(1, workers: 2)
        #expect(inUse.current == old)
        let isChanged = inUse.reloadEnded(.succeeded(generation: 2, replaced: 2))
        let new = try settings(2, workers: 2)
        #expect(isChanged && inUse.current == new)
        let changesWorkers = inUse.read(try settings(2, workers: 5))
        #expect(!changesWorkers)
        let isScaled = inUse.reloadEnded(.scaled(workers: 5))
        #expect(isScaled && inUse.current.workers == 5)
        let isOver = inUse.reloadEnded(.scaled(workers: 5))
        #expect(!isOver)
    }
}
