// SPDX-License-Identifier: Apache-2.0
import Config

/// Parses texts against a made-up machine.
struct ConfigSample {
    /// Appears in every secret place of the samples and must appear in nothing people see.
    static let secret = "s3cr3t-9f1c"

    /// Service keys as SAP writes them.
    static let sapKey = """
        {"serviceurls":{"AI_API_URL":"https://api.ai.example"},"appname":"a!b1|aicore!b1",
        "clientid":"sb-1!b1|aicore!b1","clientsecret":"\(secret)$abc=","identityzone":"z",
        "identityzoneid":"zone-1","url":"https://z.authentication.example"}
        """
    static let bareKey = """
        {"credentials":{"serviceurls":{"AI_API_URL":"https://api.ai.example/v2/"},
        "clientid":"c","clientsecret":"\(secret)","url":"https://z.example/oauth/token"}}
        """
    static let certifiedKey = """
        {"serviceurls":{"AI_API_URL":"https://api.ai.example"},"clientid":"c",
        "certurl":"https://z.cert.example/","identityzoneid":"zone-1",
        "certificate":"-----BEGIN CERTIFICATE-----\\\\n\(secret)\\\\n-----END CERTIFICATE-----\\\\n",
        "key":"-----BEGIN PRIVATE KEY-----\\n\(secret)\\n-----END PRIVATE KEY-----\\n"}
        """

    var values: [SecretReference: String] = [
        SecretReference(source: .environment, name: "KEY"): secret,
        SecretReference(source: .environment, name: "EMPTY"): "",
        SecretReference(source: .environment, name: "BROKEN"): secret + "\n",
        SecretReference(source: .environment, name: "URL"): "http://10.0.0.1:8080/\(secret)/v1",
        SecretReference(source: .file, name: "keys/a"): secret,
        SecretReference(source: .credential, name: "a"): secret,
        SecretReference(source: .file, name: "sap.json"): sapKey,
        SecretReference(source: .file, name: "bare.json"): bareKey,
        SecretReference(source: .file, name: "x509.json"): certifiedKey,
    ]
    var overrides = ConfigOverrides()

    func parse(_ text: String) throws(ConfigErrors) -> Config {
        try ConfigParser.parse(
            Array(text.utf8),
            file: "apus.json",
            overrides: overrides,
            surroundings: ConfigSurroundings(
                directory: "/conf",
                resolve: { reference in
                    if let value = values[reference] { return .success(value) }
                    return .failure(SecretFailure("\(reference.name) is not there"))
                },
                fileProblem: { path in path.hasPrefix("/conf/") ? nil : "no such file" }
            )
        )
    }

    /// The lines people would see; empty when the text is right.
    func errors(_ text: String) -> [String] {
        do throws(ConfigErrors) {
            _ = try parse(text)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    /// A text with one upstream and `members` besides.
    static func text(_ members: String) -> String {
        #"{"upstreams":{"demo":{"kind":"demo"}},"# + "\n" + members + "}"
    }

    /// A text whose only upstream has `members` besides its kind and URL.
    static func upstream(_ members: String) -> String {
        #"{"upstreams":{"u":{"kind":"openai","base_url":"https://h/v1","# + "\n" + members + "}}}"
    }
}

extension UpstreamConfig {
    var openai: OpenAIConfig? {
        switch kind {
        case .openai(let openai): openai
        case .azureOpenAI, .anthropic, .gemini, .bedrock, .sapAICore, .demo: nil
        }
    }
}
