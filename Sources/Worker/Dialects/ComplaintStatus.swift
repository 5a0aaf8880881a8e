// SPDX-License-Identifier: Apache-2.0

/// The HTTP status that a complaint stands for.
enum ComplaintStatus {
    /// The status of an answer, or of an error that names none, by the names that vendors use.
    ///
    /// A name only overrides a status that says less: AWS answers 400 to what it throttles.
    static func of(_ complaint: UpstreamComplaint, answer: Int?) -> Int? {
        // The code tells more than the type: OpenAI has rate limits of type `tokens`.
        let named =
            complaint.code.flatMap { of(name: $0) } ?? complaint.type.flatMap { of(name: $0) }
        switch answer {
        case nil: return named
        case 400 where named == 429, 500 where named == 429 || named == 503: return named
        default: return answer
        }
    }

    /// The status for a vendor's name of an error; nil for a name that is not in the table.
    static func of(name: String) -> Int? {
        switch plain(name) {
        case "ratelimit", "ratelimitexceeded", "ratelimited", "toomanyrequests", "throttling",
            "throttled", "resourceexhausted", "insufficientquota", "quotaexceeded",
            "servicequotaexceeded", "modelnotready", "requestthrottled", "limitexceeded":
            429
        case "overloaded", "serviceunavailable", "unavailable", "engineoverloaded", "slowdown",
            "serverisoverloaded":
            503
        case "invalidrequest", "invalidargument", "validation", "badrequest", "outofrange",
            "failedprecondition", "contentfilter", "contextlengthexceeded", "invalidprompt",
            "unprocessableentity", "unsupportedparameter", "unknownparameter", "invalidvalue":
            400
        case "authentication", "unauthenticated", "unauthorized", "invalidapikey",
            "unrecognizedclient", "expiredtoken", "invalidsignature", "invalidtoken",
            "invalidclient":
            401
        case "billing", "paymentrequired": 402
        case "permission", "permissiondenied", "accessdenied", "forbidden": 403
        case "notfound", "resourcenotfound", "modelnotfound", "deploymentnotfound": 404
        case "requesttoolarge", "payloadtoolarge": 413
        case "timeout", "deadlineexceeded", "modeltimeout", "requesttimeout": 504
        case "api", "internal", "internalserver", "server", "model", "modelstream",
            "serverfailure":
            500
        default: nil
        }
    }

    /// Letters only, small, without what vendors put behind: `RATE_LIMIT_ERROR` is `ratelimit`.
    private static func plain(_ name: String) -> String {
        var letters = String(name.lowercased().filter(\.isLetter))
        for ending in ["exception", "error"] where letters.hasSuffix(ending) {
            letters.removeLast(ending.count)
        }
        return letters
    }
}
