// SPDX-License-Identifier: Apache-2.0

/// What runs a deployment of SAP AI Core: it decides the protocol.
package enum SAPExecutable: String, CaseIterable, Sendable {
    case azureOpenAI = "azure-openai"
    case awsBedrock = "aws-bedrock"
    case gcpVertexAI = "gcp-vertexai"
    case openSource = "aicore-opensource"
    case mistralAI = "aicore-mistralai"
    case cohere = "aicore-cohere"
    case nvidia = "aicore-nvidia"
    case ibm = "aicore-ibm"
    case sap = "aicore-sap"
    case perplexity = "perplexity-ai"
    case orchestration
    /// Not said, or one that is not known: the name of the model decides.
    case unknown = ""

    package init(id: String?) {
        self = id.flatMap { SAPExecutable(rawValue: $0) } ?? .unknown
    }
}
