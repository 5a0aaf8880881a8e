// SPDX-License-Identifier: Apache-2.0

/// What the configuration of an SAP AI Core proxy says, as far as apus has a place for it.
struct ProxyConfig: Equatable {
    struct Subaccount: Equatable {
        /// As the file calls it.
        let name: String
        /// A name that an upstream may have; no other subaccount has it.
        let upstream: String
        let serviceKeyPath: String
        let resourceGroup: String
        /// Configured models in the order of the file, without those that are filtered.
        let models: [SAPConfig.PinnedModel]
        /// Configured models that the filters keep out.
        let filtered: [String]
    }

    var listen: String
    var hasLoopbackListen: Bool
    var subaccounts: [Subaccount]
    /// Filters of model names; without an include filter every name passes.
    var include: [NameFilter]
    var exclude: [NameFilter]
    /// Hashes of the clients' secrets, in order, each once.
    var tokens: [SHA256.Digest]

    static let hostDefault = "127.0.0.1"
    static let portDefault = 3001
}
