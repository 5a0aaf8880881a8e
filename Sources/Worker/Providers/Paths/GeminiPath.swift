// SPDX-License-Identifier: Apache-2.0

/// Request targets of Gemini, at Google's developer API and at Vertex AI.
package enum GeminiPath {
    package enum Operation: Equatable, Sendable {
        case generate(isStream: Bool)
        case countTokens
        /// One text.
        case embed
        /// Several texts.
        case batchEmbed
    }

    package enum Service: Equatable, Sendable {
        /// `generativelanguage.googleapis.com`.
        case developer(version: String = "v1beta")
        /// `LOCATION-aiplatform.googleapis.com`.
        case vertex(project: String, location: String, version: String = "v1")
    }

    /// The target of a request; `base` is the path of the service's address, mostly empty.
    ///
    /// A model may have `models/` before its name, as lists of models spell it. Vertex AI asks for
    /// embeddings of one and of several texts in the same way.
    package static func target(
        model: String,
        _ operation: Operation,
        _ service: Service,
        base: String = ""
    ) -> String {
        let name = model.hasPrefix("models/") ? String(model.dropFirst(7)) : model
        let encoded = PercentEncoding.encode(name)
        switch service {
        case .developer(let version):
            return "\(base)/\(version)/models/\(encoded):\(method(operation, service))"
        case .vertex(let project, let location, let version):
            let project = PercentEncoding.encode(project)
            let location = PercentEncoding.encode(location)
            return """
                \(base)/\(version)/projects/\(project)/locations/\(location)\
                /publishers/google/models/\(encoded):\(method(operation, service))
                """
        }
    }

    private static func method(_ operation: Operation, _ service: Service) -> String {
        switch (operation, service) {
        case (.generate(isStream: false), _): "generateContent"
        // Without it the answer is one array, which clients cannot read as it comes.
        case (.generate(isStream: true), _): "streamGenerateContent?alt=sse"
        case (.countTokens, _): "countTokens"
        case (.embed, .developer): "embedContent"
        case (.batchEmbed, .developer): "batchEmbedContents"
        case (.embed, .vertex), (.batchEmbed, .vertex): "predict"
        }
    }
}
