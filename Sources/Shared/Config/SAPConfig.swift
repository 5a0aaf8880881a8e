// SPDX-License-Identifier: Apache-2.0

/// An upstream of kind `sap-ai-core`.
package struct SAPConfig: Equatable, Sendable {
    package static let resourceGroupDefault = "default"
    package static let apiVersionDefault = "2024-12-01-preview"
    /// The first version whose deployments have the Responses interface.
    package static let responsesAPIVersionDefault = "2025-03-01-preview"
    package static let clientTypeDefault = "apus"
    /// New deployments take minutes to start, so nobody waits much longer for one to be seen.
    package static let discoveryIntervalDefault: UInt64 = 300_000_000_000

    /// How the token endpoint wants to be asked.
    package enum TokenRequest: String, CaseIterable, Sendable {
        /// Basic authorization, `grant_type` in a form.
        case basic
        /// Everything in a form; the only way of a certificate.
        case form
        /// Basic authorization, `grant_type` in the query, no body.
        case query
    }

    /// A model name of ours and the deployments that answer for it.
    package struct PinnedModel: Equatable, Sendable {
        package let model: String
        /// Deployment ids, at least one, without duplicates.
        package let deployments: [String]

        package init(model: String, deployments: [String]) {
            self.model = model
            self.deployments = deployments
        }
    }

    /// Its base URL is without `/v2`.
    package var http: HTTPUpstreamConfig
    package var serviceKey: SAPServiceKey
    /// Sent as `AI-Resource-Group`.
    package var resourceGroup = resourceGroupDefault
    /// The query parameter `api-version` of chat completions and embeddings.
    package var apiVersion = apiVersionDefault
    /// The same of the Responses interface.
    package var responsesAPIVersion = responsesAPIVersionDefault
    /// Between two listings of deployments.
    ///
    /// Units: nanoseconds.
    package var discoveryInterval = discoveryIntervalDefault
    /// Whether `AI-Tenant-Id` is sent; then the service key has an identity zone.
    package var sendsTenant = false
    package var tokenRequest = TokenRequest.basic
    /// Deployments that the file names, in its order.
    package var deployments: [PinnedModel] = []
    /// Whether deployments are listed at the start and again at every interval.
    package var discovers = true
    /// Whether models are asked through the deployment of the orchestration service.
    package var usesOrchestration = false
    /// Sent as `AI-Client-Type`.
    package var clientType = clientTypeDefault
    /// Which discovered names count; nil takes all.
    ///
    /// Pinned names always do.
    package var include: [NamePattern]?
    /// Which discovered names do not count although `include` has them.
    package var exclude: [NamePattern] = []

    package init(http: HTTPUpstreamConfig, serviceKey: SAPServiceKey) {
        self.http = http
        self.serviceKey = serviceKey
    }

    /// The id in `text`: an id itself or a deployment's URL, also with a slash, a query or a
    /// fragment behind it; nil for anything else.
    package static func deploymentID(_ text: String) -> String? {
        var id = text[...]
        if text.contains("/") {
            let end = text.firstIndex { $0 == "?" || $0 == "#" } ?? text.endIndex
            do throws(BaseURL.Failure) {
                let path = try BaseURL(String(text[..<end])).path
                let parts = path.split(separator: "/")
                guard parts.count >= 2, parts[parts.count - 2] == "deployments" else { return nil }
                id = Substring(parts[parts.count - 1])
            } catch {
                return nil
            }
        }
        let isID = id.utf8.allSatisfy {
            ConfigParser.isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
        return isID && !id.isEmpty && id.utf8.count <= ConfigLimits.nameBytesMax ? String(id) : nil
    }

    /// Whether a discovered model may be asked for under its name.
    package func takes(discovered model: Span<UInt8>) -> Bool {
        for pattern in exclude where pattern.matches(model) {
            return false
        }
        guard let include else { return true }
        for pattern in include where pattern.matches(model) {
            return true
        }
        return false
    }
}

/// The parts of a service key that count.
package struct SAPServiceKey: Equatable, Sendable {
    /// The whole URL of the token endpoint.
    package var tokenURL: String
    package var clientID: String
    /// Either this or certificate and key are there.
    package var clientSecret: Secret?
    /// PEM text for mutual TLS with the token endpoint.
    package var certificatePEM: Secret?
    package var keyPEM: Secret?
    /// What `AI-Tenant-Id` carries.
    package var identityZoneID: String?

    package init(tokenURL: String, clientID: String) {
        self.tokenURL = tokenURL
        self.clientID = clientID
    }

    /// Whether the token endpoint knows us by a certificate.
    package var usesCertificate: Bool { clientSecret == nil }
}
