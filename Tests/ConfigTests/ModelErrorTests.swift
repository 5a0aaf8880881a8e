// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@Suite("Configuration errors of models")
struct ModelErrorTests {
    @Test(
        "retries and streams",
        arguments: [
            WrongConfig(
                members: #""retries":{"tries_per_target":0}"#,
                "2:31: retries.tries_per_target: expected a whole number from 1 to 10"
            ),
            WrongConfig(
                members: #""retries":{"tries_per_target":11}"#,
                "2:31: retries.tries_per_target: expected a whole number from 1 to 10"
            ),
            WrongConfig(
                members: #""retries":{"max_targets":17}"#,
                "2:26: retries.max_targets: expected a whole number from 1 to 16"
            ),
            WrongConfig(
                members: #""retries":{"max_targets":"3"}"#,
                "2:26: retries.max_targets: expected a whole number from 1 to 16"
            ),
            WrongConfig(
                members: #""retries":{"backoff":200}"#,
                "2:22: retries.backoff: a duration carries its unit: write \"200s\" or \"200ms\""
            ),
            WrongConfig(
                members: #""retries":{"backoff":"8s..200ms"}"#,
                "2:22: retries.backoff: expected two durations from 1ms to 24h, the shorter first, like \"200ms..8s\""
            ),
            WrongConfig(
                members: #""retries":{"backoff":"200ms.."}"#,
                "2:22: retries.backoff: expected two durations from 1ms to 24h, the shorter first, like \"200ms..8s\""
            ),
            WrongConfig(
                members: #""retries":{"backoff":"0ms..1s"}"#,
                "2:22: retries.backoff: expected two durations from 1ms to 24h, the shorter first, like \"200ms..8s\""
            ),
            WrongConfig(
                members: #""retries":{"backoff":"1s..2s..3s"}"#,
                "2:22: retries.backoff: expected two durations from 1ms to 24h, the shorter first, like \"200ms..8s\""
            ),
            WrongConfig(
                members: #""retries":{"backoff":"fast"}"#,
                "2:22: retries.backoff: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""retries":{"retry_after_max":30}"#,
                "2:30: retries.retry_after_max: a duration carries its unit: write \"30s\" or \"30ms\""
            ),
            WrongConfig(
                members: #""retries":{"backof":"1s"}"#,
                "2:12: retries.backof: unknown key, did you mean \"backoff\"?"
            ),
            WrongConfig(
                members: #""retries":3"#,
                "2:11: retries: expected an object, found a number"
            ),
            WrongConfig(
                members: #""streams":{"keepalive":false}"#,
                "2:24: streams.keepalive: expected a duration like \"15s\", or \"off\""
            ),
            WrongConfig(
                members: #""streams":{"keepalive":"no"}"#,
                "2:24: streams.keepalive: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""streams":{"keepalive":15}"#,
                "2:24: streams.keepalive: a duration carries its unit: write \"15s\" or \"15ms\""
            ),
            WrongConfig(
                members: #""streams":{"keep_alive":"15s"}"#,
                "2:12: streams.keep_alive: unknown key, did you mean \"keepalive\"?"
            ),
        ]
    )
    func retries(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }

    @Test(
        "models",
        arguments: [
            WrongConfig(
                members: #""models":[]"#,
                "2:10: models: expected an object, found an array"
            ),
            WrongConfig(
                members: #""models":{"":{"targets":[{"upstream":"demo"}]}}"#,
                "2:11: models[\"\"]: expected 1 to 512 bytes without control characters"
            ),
            WrongConfig(
                members: #""models":{"m":{}}"#,
                "2:15: models.m: targets is missing, like [ { \"upstream\": \"NAME\" } ]"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[]}}"#,
                "2:26: models.m.targets: expected at least one target, like [ { \"upstream\": \"NAME\" } ]"
            ),
            WrongConfig(
                members:
                    #""models":{"m":{"targets":[\#(Array(repeating: "1", count: 17).joined(separator: ","))]}}"#,
                "2:26: models.m.targets: at most 16 elements are allowed, found 17"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{}]}}"#,
                "2:27: models.m.targets[0]: upstream is missing"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"dmeo"}]}}"#,
                "2:39: models.m.targets[0].upstream: there is no upstream of this name, did you mean \"demo\"?"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","model":""}]}}"#,
                "2:54: models.m.targets[0].model: expected 1 to 512 bytes without control characters"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","weight":0}]}}"#,
                "2:55: models.m.targets[0].weight: expected a whole number from 1 to 1000"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","weight":1001}]}}"#,
                "2:55: models.m.targets[0].weight: expected a whole number from 1 to 1000"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","weight":1.5}]}}"#,
                "2:55: models.m.targets[0].weight: expected a whole number from 1 to 1000"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","weight":"2"}]}}"#,
                "2:55: models.m.targets[0].weight: expected a whole number from 1 to 1000"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","wieght":2}]}}"#,
                "2:46: models.m.targets[0].wieght: unknown key, did you mean \"weight\"?"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","api":"chat"}]}}"#,
                "2:52: models.m.targets[0].api: an upstream of kind \"demo\" has no such API; leave it out"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","api":"chatt"}]}}"#,
                "2:52: models.m.targets[0].api: expected \"chat\", \"responses\", \"messages\", \"gemini\", \"converse\" or \"invoke\", did you mean \"chat\"?"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo","api":1}]}}"#,
                "2:52: models.m.targets[0].api: expected \"chat\", \"responses\", \"messages\", \"gemini\", \"converse\" or \"invoke\""
            ),
            WrongConfig(
                members:
                    #""models":{"m":{"targets":[{"upstream":"demo"}],"balance":"round-robin"}}"#,
                "2:58: models.m.balance: expected \"weighted\", \"least-busy\" or \"ordered\""
            ),
            WrongConfig(
                members:
                    #""models":{"m":{"targets":[{"upstream":"demo"}],"balance":"least_busy"}}"#,
                "2:58: models.m.balance: expected \"weighted\", \"least-busy\" or \"ordered\", did you mean \"least-busy\"?"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo"}],"strict":"yes"}}"#,
                "2:57: models.m.strict: expected true or false, found a string"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo"}],"max_tokens":0}}"#,
                "2:61: models.m.max_tokens: expected a whole number from 1 to 10000000"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo"}],"max_tokens":"8k"}}"#,
                "2:61: models.m.max_tokens: expected a whole number from 1 to 10000000"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo"}],"fallbacks":"x"}}"#,
                "2:60: models.m.fallbacks: expected an array, found a string"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo"}],"fallbacks":[5]}}"#,
                "2:61: models.m.fallbacks[0]: expected a string, found a number"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo"}],"fallbacks":[""]}}"#,
                "2:61: models.m.fallbacks[0]: expected 1 to 512 bytes without control characters"
            ),
            WrongConfig(
                members:
                    #""models":{"m":{"targets":[{"upstream":"demo"}],"fallbacks":["nobody"]}}"#,
                "2:61: models.m.fallbacks[0]: nobody answers for this model; name an entry of models, or UPSTREAM/MODEL"
            ),
            WrongConfig(
                members:
                    #""models":{"m":{"targets":[{"upstream":"demo"}],"fallbacks":["demo/x","demo/x"]}}"#,
                "2:70: models.m.fallbacks[1]: the model stands twice"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo"}],"fallbacks":["m"]}}"#,
                "2:61: models.m.fallbacks[0]: a model cannot fall back to itself"
            ),
            WrongConfig(
                members: #""models":{"m":{"targets":[{"upstream":"demo"}],"fallbacks":["m[1m]"]}}"#,
                "2:61: models.m.fallbacks[0]: a model cannot fall back to itself"
            ),
            WrongConfig(
                members:
                    #""models":{"gpt-5":{"targets":[{"upstream":"demo"}],"fallbacks":["gtp-4"]},"gpt-4":{"targets":[{"upstream":"demo"}]}}"#,
                "2:65: models.gpt-5.fallbacks[0]: nobody answers for this model, did you mean \"gpt-4\"?"
            ),
            WrongConfig(
                members:
                    #""models":{"g*":{"targets":[{"upstream":"demo"}],"fallbacks":["gpt-4"]}}"#,
                "2:62: models[\"g*\"].fallbacks[0]: a model cannot fall back to itself"
            ),
            WrongConfig(
                members:
                    #""models":{"a":{"targets":[{"upstream":"demo"}],"fallbacks":["b"]},"b":{"targets":[{"upstream":"demo"}],"fallbacks":["c"]},"c":{"targets":[{"upstream":"demo"}],"fallbacks":["demo/x","a"]}}"#,
                "2:182: models.c.fallbacks[1]: falling back goes in a circle: a -> b -> c -> a"
            ),
            WrongConfig(
                members:
                    #""models":{"a":{"targets":[{"upstream":"demo"}],"fallbacks":["b"]},"b":{"targets":[{"upstream":"demo"}],"fallbacks":["c"]},"c*":{"targets":[{"upstream":"demo"}],"fallbacks":["b"]}}"#,
                "2:174: models[\"c*\"].fallbacks[0]: falling back goes in a circle: b -> c* -> b"
            ),
            WrongConfig(
                members: #""default_model":5"#,
                "2:17: default_model: expected a string, found a number"
            ),
            WrongConfig(
                members: #""default_model":"gpt-5""#,
                "2:17: default_model: nobody answers for this model; name an entry of models, or UPSTREAM/MODEL"
            ),
            WrongConfig(
                members:
                    #""default_model":"gtp-5","models":{"gpt-5":{"targets":[{"upstream":"demo"}]}}"#,
                "2:17: default_model: nobody answers for this model, did you mean \"gpt-5\"?"
            ),
        ]
    )
    func models(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }
}
