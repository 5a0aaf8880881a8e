// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP

/// What a request to the status address asks for.
enum StatusRoute: Equatable {
    case index
    /// The page for browsers.
    case dashboard
    case live
    case ready
    case status(isFull: Bool)
    /// The same for people who look with curl.
    case statusText
    case metrics
    /// The path exists, but only to be read.
    case notAllowed
    case unknown

    /// The paths, in the order in which texts list them.
    static let paths: [(path: String, meaning: String)] = [
        ("/", "in a browser the dashboard, else this list"),
        ("/livez", "200 while the supervisor runs"),
        ("/readyz", "200 while requests are served, else 503 with the reason"),
        ("/status", "the fleet as JSON; /status?full adds every worker"),
        ("/status.txt", "the fleet as text"),
        ("/metrics", "Prometheus text"),
    ]

    init(_ head: RequestHead, in bytes: Span<UInt8>) {
        // OPTIONS * asks about the server, which as a whole is only to be read.
        guard head.targetForm != .asterisk else {
            self = .notAllowed
            return
        }
        let path = String(copying: bytes.extracting(head.path))
        let query = head.query.map { String(copying: bytes.extracting($0)) } ?? ""
        var route = Self.route(path, query)
        if route == .index, head.fields.containsToken("text/html", in: .accept, bytes: bytes) {
            route = .dashboard
        }
        let isReading = head.method == .get || head.method == .head
        self = isReading || route == .unknown ? route : .notAllowed
    }

    private static func route(_ path: String, _ query: String) -> StatusRoute {
        switch path {
        case "", "/": .index
        case "/livez": .live
        case "/readyz": .ready
        case "/status": .status(isFull: isFull(query))
        case "/status.txt": .statusText
        case "/metrics": .metrics
        default: .unknown
        }
    }

    /// `full`, or `full=` anything but 0 and false.
    private static func isFull(_ query: String) -> Bool {
        query.split(separator: "&").contains { parameter in
            let parts = parameter.split(separator: "=", maxSplits: 1)
            guard parts.first == "full" else { return false }
            return parts.count == 1 || (parts[1] != "0" && parts[1] != "false")
        }
    }
}
