// SPDX-License-Identifier: Apache-2.0
import System

/// Which sockets of the service manager are used, and which addresses are opened besides.
///
/// Pure. Sockets of a `.socket` unit win over the configuration: the operator wrote both. Sockets
/// that an earlier process of this unit left with the manager are used when the configuration still
/// has their address.
struct ListenerPlan: Equatable {
    /// A listening socket that the manager handed over.
    struct Given: Equatable {
        let name: String
        let address: SocketAddress
    }

    enum Source: Equatable {
        /// The socket with the index.
        case given(Int)
        /// A new one, left with the manager under the name; nil for one that cannot be.
        case open(SocketAddress, storeName: String?)
    }

    /// Why a socket is not used.
    enum Reason: String, Equatable {
        case unknownName = "its name means nothing here"
        case notConfigured = "the configuration does not have its address"
        case unitWins = "a socket unit gives others"
        case repeated = "another one has its place"
    }

    struct Refused: Equatable {
        let index: Int
        let reason: Reason
    }

    private(set) var clients: [Source] = []
    private(set) var status: Source?
    private(set) var refused: [Refused] = []

    /// Where a socket comes from, by its name.
    enum Origin: Equatable {
        case unitClient, unitStatus, storedClient, storedStatus, unknown

        init(name: String) {
            switch name {
            case InheritedListeners.statusName: self = .unitStatus
            case ListenerPlan.storedStatusName: self = .storedStatus
            // The manager's own names for what nobody named.
            case "stored", "connection": self = .unknown
            default:
                let number = name.dropFirst(ListenerPlan.storedClientPrefix.count)
                if name.hasPrefix(ListenerPlan.storedClientPrefix), Int(number) != nil {
                    self = .storedClient
                } else {
                    self = name.hasPrefix(ListenerPlan.storedPrefix) ? .unknown : .unitClient
                }
            }
        }

        var isStored: Bool { self == .storedClient || self == .storedStatus }
    }

    /// Names that start so are of this program, in whichever release.
    static let storedPrefix = "apus-"
    static let storedClientPrefix = "apus-listen-"
    static let storedStatusName = "apus-status"

    /// `status` is nil when the status plane is off.
    init(_ given: [Given], listen: [SocketAddress], status: SocketAddress?) {
        let origins = given.map { Origin(name: $0.name) }
        var free = Set(given.indices.filter { origins[$0] != .unknown })
        func take(where fits: (Int) -> Bool) -> Int? {
            let index = given.indices.first { free.contains($0) && fits($0) }
            if let index { free.remove(index) }
            return index
        }

        let units = given.indices.filter { origins[$0] == .unitClient }
        if units.isEmpty {
            for address in listen {
                let index = take {
                    origins[$0] == .storedClient && Self.fits(given[$0].address, address)
                }
                clients.append(index.map { .given($0) } ?? .open(address, storeName: nil))
            }
        } else {
            clients = units.map { .given($0) }
            free.subtract(units)
        }
        if let index = take(where: { origins[$0] == .unitStatus }) {
            self.status = .given(index)
        } else if let status {
            let index = take {
                origins[$0] == .storedStatus && Self.fits(given[$0].address, status)
            }
            self.status = index.map { .given($0) } ?? .open(status, storeName: nil)
        }
        refused = given.indices.filter { free.contains($0) || origins[$0] == .unknown }.map {
            Refused(index: $0, reason: reason(origins[$0], hasUnits: !units.isEmpty, given[$0]))
        }
        nameStored(given)
    }

    private func reason(_ origin: Origin, hasUnits: Bool, _ given: Given) -> Reason {
        switch origin {
        case .unknown: .unknownName
        case .unitClient, .unitStatus: .repeated
        case .storedClient: hasUnits ? .unitWins : .notConfigured
        case .storedStatus: .notConfigured
        }
    }

    /// Port 0 takes what it got the last time.
    private static func fits(_ actual: SocketAddress, _ wanted: SocketAddress) -> Bool {
        if actual == wanted { return true }
        return wanted.port == 0 && actual.port != nil && actual.host == wanted.host
    }

    /// Gives new sockets names that no socket in use has.
    ///
    /// Not Unix sockets: their file goes with the process that made it.
    private mutating func nameStored(_ given: [Given]) {
        var used: Set<String> = []
        for case .given(let index) in clients { used.insert(given[index].name) }
        for position in clients.indices {
            guard case .open(let address, _) = clients[position], address.port != nil else {
                continue
            }
            var number = position
            while used.contains("\(Self.storedClientPrefix)\(number)") { number += 1 }
            let name = "\(Self.storedClientPrefix)\(number)"
            used.insert(name)
            clients[position] = .open(address, storeName: name)
        }
        if case .open(let address, _) = status, address.port != nil {
            status = .open(address, storeName: Self.storedStatusName)
        }
    }

    /// Names under which the manager shall keep nothing: those of refused sockets that no used one
    /// shares.
    func namesToRemove(_ given: [Given]) -> [String] {
        var used: Set<String> = []
        for case .given(let index) in clients + [status].compactMap(\.self) {
            used.insert(given[index].name)
        }
        var names: [String] = []
        for refused in refused {
            let name = given[refused.index].name
            let isOwn = Origin(name: name).isStored || refused.reason == .unknownName
            if isOwn, !used.contains(name), !names.contains(name) { names.append(name) }
        }
        return names
    }
}
