// SPDX-License-Identifier: Apache-2.0
import Config
import Providers
import Support
import Testing

@Suite("SAP token requests")
struct SAPTokenRequestTests {
    static let id = "sb-1111-2222!b1000|aicore!b100"
    static let secret = Secret("not-a-real-secret$abc=+/ &%")
    static let url = "https://sub.authentication.eu10.hana.ondemand.com"

    static func fields(_ request: SAPTokenRequest) -> [String] {
        request.fields.map { "\($0.name): \($0.value)" }
    }

    static let basic = """
        authorization: Basic \
        c2ItMTExMS0yMjIyIWIxMDAwfGFpY29yZSFiMTAwOm5vdC1hLXJlYWwtc2VjcmV0JGFiYz0rLyAmJQ==
        """

    @Test("with the secret in the header")
    func basic() {
        let request = SAPTokenRequest(url: Self.url, clientID: Self.id, proof: .basic(Self.secret))
        #expect(request.url == Self.url + "/oauth/token")
        #expect(
            Self.fields(request) == [
                "content-type: application/x-www-form-urlencoded", "accept: application/json",
                Self.basic,
            ]
        )
        #expect(request.body == "grant_type=client_credentials")
    }

    @Test("with the secret in the body")
    func form() {
        let request = SAPTokenRequest(url: Self.url, clientID: Self.id, proof: .form(Self.secret))
        #expect(request.url == Self.url + "/oauth/token")
        #expect(!Self.fields(request).contains { $0.hasPrefix("authorization") })
        #expect(
            request.body == """
                grant_type=client_credentials&client_id=sb-1111-2222%21b1000%7Caicore%21b100\
                &client_secret=not-a-real-secret%24abc%3D%2B%2F%20%26%25
                """
        )
    }

    @Test("with the grant in the query")
    func query() {
        let request = SAPTokenRequest(url: Self.url, clientID: Self.id, proof: .query(Self.secret))
        #expect(request.url == Self.url + "/oauth/token?grant_type=client_credentials")
        #expect(Self.fields(request) == ["accept: application/json", Self.basic])
        #expect(request.body == "")
    }

    @Test("with a certificate")
    func certificate() {
        let request = SAPTokenRequest(url: Self.url, clientID: Self.id, proof: .certificate)
        #expect(
            Self.fields(request) == [
                "content-type: application/x-www-form-urlencoded", "accept: application/json",
            ]
        )
        #expect(
            request.body
                == "grant_type=client_credentials&client_id=sb-1111-2222%21b1000%7Caicore%21b100"
        )
    }

    @Test("go to the same address however it is written")
    func addresses() {
        for suffix in ["", "/", "//", "/oauth/token", "/oauth/token/"] {
            let request = SAPTokenRequest(
                url: Self.url + suffix,
                clientID: Self.id,
                proof: .certificate
            )
            #expect(request.url == Self.url + "/oauth/token")
        }
    }

    @Test("show no secret")
    func secrecy() {
        for proof in [
            SAPTokenRequest.Proof.basic(Self.secret), .form(Self.secret), .query(Self.secret),
        ] {
            let request = SAPTokenRequest(url: Self.url, clientID: Self.id, proof: proof)
            var text = "\(request) \(String(reflecting: request))"
            dump(request, to: &text)
            #expect(!text.contains("not-a-real-secret") && !text.contains("c2It"))
        }
    }
}

@Suite("SAP token replies")
struct SAPTokenReplyTests {
    static func parse(_ body: String, status: Int = 200) -> Result<SAPTokenReply, TokenFailure> {
        let bytes = Array(body.utf8)
        return SAPTokenReply.parse(status: status, body: bytes.span)
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let body: String
        let seconds: Int
        var testDescription: String { body }
    }

    @Test(
        "bring a token and its lifetime",
        arguments: [
            Case(
                body: """
                    {"access_token":"t","token_type":"bearer","expires_in":43199,"scope":"x"}
                    """,
                seconds: 43_199
            ),
            Case(body: #"{"access_token":"t"}"#, seconds: 14_400),
            Case(body: #"{"access_token":"t","expires_in":null}"#, seconds: 14_400),
            Case(body: #"{"access_token":"t","expires_in":"3600"}"#, seconds: 3600),
            Case(body: #"{"access_token":"t","expires_in":3599.9}"#, seconds: 3599),
            Case(body: #"{"access_token":"t","expires_in":1}"#, seconds: 1),
            Case(body: #"{"access_token":"t","expires_in":1e300}"#, seconds: 604_800),
            Case(body: #"{"access_token":"\u0074","expires_in":99999999999}"#, seconds: 604_800),
        ]
    )
    func success(_ row: Case) {
        let expected = SAPTokenReply(token: Secret("t"), lifetimeSeconds: row.seconds)
        #expect(Self.parse(row.body) == .success(expected))
        #expect(Self.parse(row.body, status: 201) == .success(expected))
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var status = 200
        let body: String
        let failure: TokenFailure
        var testDescription: String { "\(status) \(body.prefix(60))" }
    }

    static let failures: [Refusal] = [
        Refusal(
            status: 401,
            body: #"{"error":"unauthorized","error_description":"Bad credentials"}"#,
            failure: .refused(status: 401, .unauthorized, .badCredentials)
        ),
        Refusal(
            status: 400,
            body: #"{"error":"invalid_client","error_description":"secret hunter2 is wrong"}"#,
            failure: .refused(status: 400, .invalidClient, nil)
        ),
        Refusal(
            status: 403,
            body: #"{"error":"hunter2","error_description":7}"#,
            failure: .refused(status: 403, nil, nil)
        ),
        Refusal(status: 401, body: "<html>hunter2", failure: .refused(status: 401, nil, nil)),
        Refusal(status: 401, body: "", failure: .refused(status: 401, nil, nil)),
        Refusal(status: 401, body: #"["hunter2"]"#, failure: .refused(status: 401, nil, nil)),
        Refusal(status: 500, body: "hunter2", failure: .unexpectedStatus(500)),
        Refusal(
            status: 302,
            body: #"{"access_token":"hunter2"}"#,
            failure: .unexpectedStatus(302)
        ),
        Refusal(status: 429, body: "", failure: .unexpectedStatus(429)),
        Refusal(body: "", failure: .malformed),
        Refusal(body: "hunter2", failure: .malformed),
        Refusal(body: #"["hunter2"]"#, failure: .malformed),
        Refusal(body: #"{"access_token":"hunter2""#, failure: .malformed),
        Refusal(body: "{}", failure: .noToken),
        Refusal(body: #"{"access_token":"","expires_in":1}"#, failure: .noToken),
        Refusal(body: #"{"access_token":null}"#, failure: .noToken),
        Refusal(body: #"{"access_token":7}"#, failure: .noToken),
        Refusal(body: #"{"access_token":"hunter2\r\nx: y"}"#, failure: .unusableToken),
        Refusal(body: #"{"access_token":"hunter 2"}"#, failure: .unusableToken),
        Refusal(body: #"{"access_token":"hünter2"}"#, failure: .unusableToken),
        Refusal(
            body: #"{"access_token":"\#(String(repeating: "t", count: 16_385))"}"#,
            failure: .unusableToken
        ),
        Refusal(
            body: #"{"access_token":"\#(String(repeating: "t", count: 300_000))"}"#,
            failure: .malformed
        ),
        Refusal(body: #"{"access_token":"t","expires_in":0}"#, failure: .lifetime),
        Refusal(body: #"{"access_token":"t","expires_in":-1}"#, failure: .lifetime),
        Refusal(body: #"{"access_token":"t","expires_in":"soon"}"#, failure: .lifetime),
        Refusal(body: #"{"access_token":"t","expires_in":{}}"#, failure: .lifetime),
    ]

    @Test("that bring none say why, in words of our own", arguments: failures)
    func failure(_ row: Refusal) {
        let result = Self.parse(row.body, status: row.status)
        #expect(result == .failure(row.failure))
        var text = row.failure.message + "\(row.failure.metricLabel)"
        dump(result, to: &text)
        #expect(!text.contains("hunter"))
        #expect(!row.failure.message.isEmpty)
    }

    @Test("tell what is known of a refusal")
    func messages() {
        #expect(
            TokenFailure.refused(status: 401, .unauthorized, .badCredentials).message
                == """
                the token server refused the credentials with status 401 unauthorized \
                (Bad credentials)
                """
        )
    }

    @Test("show no token")
    func secrecy() {
        let result = Self.parse(#"{"access_token":"hunter2"}"#)
        var text = "\(result)"
        dump(result, to: &text)
        #expect(!text.contains("hunter2"))
    }
}
