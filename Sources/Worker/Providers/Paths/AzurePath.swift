// SPDX-License-Identifier: Apache-2.0

/// Request targets of Azure OpenAI.
package enum AzurePath {
    package enum Operation: Equatable, Sendable {
        case chat
        case completions
        case embeddings
        case transcription
        /// Names its deployment in the body.
        case responses
        case compact
        /// A response that was made before, to read or to delete it.
        case storedResponse(id: String)
        case models
    }

    /// The two generations of the API.
    package enum Style: Equatable, Sendable {
        /// The deployment in the path, and always a version.
        case deployment(apiVersion: String)
        /// `/openai/v1`: the deployment in the body as `model`; a version only for previews.
        case v1(apiVersion: String?)
    }

    /// The target of a request; `base` is the path of the resource's address, mostly empty.
    package static func target(
        deployment: String,
        _ operation: Operation,
        _ style: Style,
        base: String = ""
    ) -> String {
        let name = suffix(operation)
        switch style {
        case .v1(let version):
            let query = version.map { "?api-version=" + PercentEncoding.encode($0) } ?? ""
            return "\(base)/openai/v1\(name)\(query)"
        case .deployment(let version):
            let query = "?api-version=" + PercentEncoding.encode(version)
            switch operation {
            case .chat, .completions, .embeddings, .transcription:
                let deployment = PercentEncoding.encode(deployment)
                return "\(base)/openai/deployments/\(deployment)\(name)\(query)"
            case .responses, .compact, .storedResponse, .models:
                return "\(base)/openai\(name)\(query)"
            }
        }
    }

    private static func suffix(_ operation: Operation) -> String {
        switch operation {
        case .chat: "/chat/completions"
        case .completions: "/completions"
        case .embeddings: "/embeddings"
        case .transcription: "/audio/transcriptions"
        case .responses: "/responses"
        case .compact: "/responses/compact"
        case .storedResponse(let id): "/responses/" + PercentEncoding.encode(id)
        case .models: "/models"
        }
    }
}
