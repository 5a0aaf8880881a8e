// SPDX-License-Identifier: Apache-2.0
import Bytes
package import Config

/// The POST request that fetches an access token for SAP AI Core.
///
/// Printing and dumping show no secret.
///
/// Spec: RFC 6749 section 4.4, the client credentials grant.
package struct SAPTokenRequest: Equatable, Sendable {
    /// How the client proves who it is.
    package enum Proof: Equatable, Sendable {
        /// The secret in `authorization`, the grant in the body.
        case basic(Secret)
        /// Everything in the body.
        case form(Secret)
        /// The secret in `authorization`, the grant in the query, no body.
        case query(Secret)
        /// A certificate that the connection shows; the client's id in the body.
        case certificate
    }

    private static let path = "/oauth/token"
    private static let grant = "grant_type=client_credentials"

    /// Where the request goes to, with the query.
    package let url: String
    /// Header lines besides `host` and `content-length`.
    package let fields: [OutgoingField]
    private let secretBody: Secret

    /// The body, empty with `query`.
    package var body: String { secretBody.revealed }

    /// The address is the `url` of a service key, or its `certurl` for a certificate.
    ///
    /// It may end in `/oauth/token` or not.
    package init(url: String, clientID: String, proof: Proof) {
        let address = Self.tokenURL(url)
        let form = OutgoingField("content-type", "application/x-www-form-urlencoded")
        let accept = OutgoingField("accept", "application/json")
        let id = "client_id=" + PercentEncoding.encode(clientID)
        switch proof {
        case .basic(let secret):
            self.url = address
            fields = [form, accept, Self.authorization(clientID, secret)]
            secretBody = Secret(Self.grant)
        case .form(let secret):
            self.url = address
            fields = [form, accept]
            let encoded = PercentEncoding.encode(secret.revealed)
            secretBody = Secret("\(Self.grant)&\(id)&client_secret=\(encoded)")
        case .query(let secret):
            self.url = address + "?" + Self.grant
            fields = [accept, Self.authorization(clientID, secret)]
            secretBody = Secret("")
        case .certificate:
            self.url = address
            fields = [form, accept]
            secretBody = Secret("\(Self.grant)&\(id)")
        }
    }

    private static func tokenURL(_ url: String) -> String {
        var address = Substring(url)
        while address.hasSuffix("/") { address.removeLast() }
        return address.hasSuffix(path) ? String(address) : address + path
    }

    /// The id and the secret as they are: XSUAA does not decode them, as RFC 6749 would have it.
    private static func authorization(_ clientID: String, _ secret: Secret) -> OutgoingField {
        let pair = Array("\(clientID):\(secret.revealed)".utf8)
        return OutgoingField("authorization", "Basic " + Base64.text(pair.span))
    }
}
