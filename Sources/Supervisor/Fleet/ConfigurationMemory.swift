// SPDX-License-Identifier: Apache-2.0
import Metrics
import System

/// One configuration in sealed memory, for the workers that are started with it.
final class ConfigurationMemory {
    let fd: OwnedFD
    let upstreams: [UpstreamDefinition]
    let limits: FleetMachine.Limits
    /// Seconds since 1970.
    let loadedAt: Int

    /// Memory that an earlier supervisor made.
    init(
        adopting fd: consuming OwnedFD,
        upstreams: [UpstreamDefinition],
        limits: FleetMachine.Limits,
        loadedAt: Int
    ) {
        self.fd = fd
        self.upstreams = upstreams
        self.limits = limits
        self.loadedAt = loadedAt
    }

    init(_ settings: FleetSettings) throws(SystemError) {
        do throws(Errno) {
            fd = try Syscalls.sealedMemory("apus-config", settings.bundle.span)
        } catch {
            throw SystemError(.memfd, error)
        }
        upstreams = settings.upstreams
        limits = settings.applied(to: FleetMachine.Limits())
        loadedAt = Syscalls.wallClock().seconds
    }
}
