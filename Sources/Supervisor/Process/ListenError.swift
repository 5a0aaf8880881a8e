// SPDX-License-Identifier: Apache-2.0
import System

/// Why an address cannot be listened on.
struct ListenError: Error, Equatable, CustomStringConvertible {
    enum Cause: Equatable {
        case inUse
        /// A file that is no socket has the path.
        case notSocket
        case system(SystemError)
    }

    let address: SocketAddress
    let cause: Cause

    var description: String {
        switch cause {
        case .inUse:
            "address \(address) is in use"
        case .notSocket:
            "address \(address): the file exists and is not a socket"
        case .system(let error):
            switch error.errno {
            case .accessDenied, .notPermitted: "address \(address): no permission to listen there"
            case .addressNotAvailable: "address \(address) is not one of this machine"
            default: "address \(address): \(error)"
            }
        }
    }
}
