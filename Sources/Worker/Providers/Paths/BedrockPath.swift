// SPDX-License-Identifier: Apache-2.0

/// Request targets of the Bedrock runtime.
package enum BedrockPath {
    package enum Operation: String, CaseIterable, Sendable {
        /// A body in the model's own format.
        case invoke
        case converse
    }

    /// The path of a request.
    ///
    /// The model is an identifier, with a region before it or not, or the name of a resource; its
    /// colons and slashes are encoded. The signature encodes the path once more.
    package static func target(
        model: String,
        _ operation: Operation,
        isStream: Bool,
        base: String = ""
    ) -> String {
        let name =
            switch (operation, isStream) {
            case (.invoke, false): "invoke"
            case (.invoke, true): "invoke-with-response-stream"
            case (.converse, false): "converse"
            case (.converse, true): "converse-stream"
            }
        return "\(base)/model/\(PercentEncoding.encode(model))/\(name)"
    }

    /// The host of a region.
    package static func host(region: String) -> String {
        let suffix = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        return "bedrock-runtime.\(region).\(suffix)"
    }
}
