// SPDX-License-Identifier: Apache-2.0
import Config
import Providers
import Support
import Testing

@Suite("AWS Signature Version 4")
struct SigV4SignerTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        var method = "GET"
        var path = "/"
        var query = ""
        var fields: [SigV4Signer.Field] = [SigV4Signer.Field("Host", "example.amazonaws.com")]
        var body = ""
        let signed: String
        let signature: String
        var testDescription: String { name }

        func request() -> SigV4Signer.Request {
            SigV4Signer.Request(
                method: method,
                path: path,
                query: query,
                fields: fields,
                payload: SHA256.digest(of: Array(body.utf8).span)
            )
        }
    }

    static let secret = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    /// 2015-08-30 12:36:00 UTC.
    static let moment = 1_440_938_160

    static func host(_ more: SigV4Signer.Field...) -> [SigV4Signer.Field] {
        [SigV4Signer.Field("Host", "example.amazonaws.com")] + more
    }

    /// The names and signatures of AWS's published test suite (region us-east-1, service
    /// "service").
    static let suite: [Case] = [
        Case(
            name: "get-vanilla",
            signed: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        ),
        Case(
            name: "post-vanilla",
            method: "POST",
            signed: "host;x-amz-date",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        ),
        Case(
            name: "get-vanilla-query-order-key-case",
            query: "Param2=value2&Param1=value1",
            signed: "host;x-amz-date",
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        ),
        Case(
            name: "get-vanilla-empty-query-key",
            query: "Param1=value1",
            signed: "host;x-amz-date",
            signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"
        ),
        Case(
            name: "get-unreserved",
            path: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            signed: "host;x-amz-date",
            signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"
        ),
        Case(
            name: "get-utf8",
            path: "/\u{1234}",
            signed: "host;x-amz-date",
            signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"
        ),
        Case(
            name: "get-header-key-duplicate",
            fields: host(
                SigV4Signer.Field("My-Header1", "value2"),
                SigV4Signer.Field("My-Header1", "value2"),
                SigV4Signer.Field("My-Header1", "value1")
            ),
            signed: "host;my-header1;x-amz-date",
            signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"
        ),
        Case(
            name: "get-header-value-trim",
            fields: host(
                SigV4Signer.Field("My-Header1", " value1"),
                SigV4Signer.Field("My-Header2", " \"a   b   c\"")
            ),
            signed: "host;my-header1;my-header2;x-amz-date",
            signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"
        ),
        Case(
            name: "post-header-key-sort",
            method: "POST",
            fields: host(SigV4Signer.Field("My-Header1", "value1")),
            signed: "host;my-header1;x-amz-date",
            signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"
        ),
        Case(
            name: "post-x-www-form-urlencoded",
            method: "POST",
            fields: host(SigV4Signer.Field("Content-Type", "application/x-www-form-urlencoded")),
            body: "Param1=value1",
            signed: "content-type;host;x-amz-date",
            signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        ),
        Case(
            name: "get-relative",
            path: "/example/..",
            signed: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        ),
        Case(
            name: "get-slash-dot-slash",
            path: "/./",
            signed: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        ),
        Case(
            name: "get-slashes",
            path: "//example//",
            signed: "host;x-amz-date",
            signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"
        ),
    ]

    @Test("signs the published test suite", arguments: suite)
    func published(_ row: Case) {
        var signer = SigV4Signer(
            region: "us-east-1",
            service: "service",
            accessKeyID: "AKIDEXAMPLE",
            secretAccessKey: Self.secret,
            sendsPayloadHash: false
        )
        let expected = [
            OutgoingField("x-amz-date", "20150830T123600Z"),
            OutgoingField(
                "authorization",
                """
                AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                SignedHeaders=\(row.signed), Signature=\(row.signature)
                """
            ),
        ]
        #expect(signer.sign(row.request(), unixSeconds: Self.moment) == expected)
        // The second time with the key of the day.
        #expect(signer.sign(row.request(), unixSeconds: Self.moment) == expected)
    }

    @Test("signs the documented example and derives its key")
    func documentedExample() {
        let key = SigV4Signer.signingKey(
            secretAccessKey: Self.secret,
            date: "20150830",
            region: "us-east-1",
            service: "iam"
        )
        #expect(
            key.hexadecimal == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        )
        var signer = SigV4Signer(
            region: "us-east-1",
            service: "iam",
            accessKeyID: "AKIDEXAMPLE",
            secretAccessKey: Self.secret,
            sendsPayloadHash: false
        )
        let request = SigV4Signer.Request(
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            fields: [
                SigV4Signer.Field("Host", "iam.amazonaws.com"),
                SigV4Signer.Field(
                    "Content-Type",
                    "application/x-www-form-urlencoded; charset=utf-8"
                ),
            ],
            payload: SHA256.digest(of: [UInt8]().span)
        )
        let added = signer.sign(request, unixSeconds: Self.moment)
        let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        #expect(added.last?.value.hasSuffix("Signature=\(signature)") == true)
    }

    @Test("signs as Amazon's own Python client does", arguments: SigV4Reference.cases)
    func reference(_ row: SigV4Reference.Case) {
        var signer = row.signer()
        // Signed on another day first: the key of that day must not be used.
        _ = signer.sign(row.request(), unixSeconds: row.unixSeconds + 86_400)
        let added = signer.sign(row.request(), unixSeconds: row.unixSeconds)
        let authorization = added.first { $0.name == "authorization" }
        #expect(authorization?.value.hasSuffix("Signature=\(row.signature)") == true)
        #expect(
            added.map(\.name).sorted()
                == ["authorization", "x-amz-content-sha256", "x-amz-date"]
                + (row.sessionToken == nil ? [] : ["x-amz-security-token"])
        )
    }

    @Test("covers every part of a request")
    func coverage() {
        let base = Case(
            name: "base",
            method: "POST",
            path: "/model/a%3A0/invoke",
            query: "a=1",
            body: "{}",
            signed: "",
            signature: ""
        )
        func signature(_ change: (inout SigV4Signer.Request) -> Void, at seconds: Int = 0) -> String
        {
            var signer = SigV4Signer(
                region: "eu-central-1",
                service: "bedrock",
                accessKeyID: "AKID",
                secretAccessKey: Self.secret
            )
            var request = base.request()
            change(&request)
            let added = signer.sign(request, unixSeconds: Self.moment + seconds)
            return added.last?.value ?? ""
        }
        let changed = [
            signature { _ in },
            signature { $0.method = "PUT" },
            signature { $0.path = "/model/a%3A1/invoke" },
            signature { $0.path = "/model/a:0/invoke" },
            signature { $0.query = "a=2" },
            signature { $0.query = "" },
            signature { $0.fields = Self.host(SigV4Signer.Field("content-type", "a/b")) },
            signature { $0.fields = [SigV4Signer.Field("host", "example.org")] },
            signature { $0.payload = SHA256.digest(of: [1].span) },
            signature({ _ in }, at: 1),
            signature({ _ in }, at: 86_400),
        ]
        #expect(Set(changed).count == changed.count)
    }

    @Test("orders parameters by their bytes")
    func queries() {
        let rows: [(sent: String, canonical: String)] = [
            ("", ""), ("a", "a="), ("b=2&a=1", "a=1&b=2"), ("a=2&a=1&a", "a=&a=1&a=2"),
            ("a=b=c", "a=b=c"), ("=x&a=", "=x&a="), ("a%2B=1&a=1&A=1", "A=1&a=1&a%2B=1"),
        ]
        for row in rows {
            #expect(SigV4Signer.canonicalQuery(row.sent) == row.canonical, "\(row.sent)")
        }
    }

    @Test("encodes each segment of the path once more")
    func paths() {
        let rows: [(sent: String, canonical: String)] = [
            ("", "/"), ("/", "/"), ("/a", "/a"), ("/a/", "/a/"), ("/a/./b/../c", "/a/c"),
            ("/..", "/"), ("/a/..", "/"), ("/a/b/..", "/a/"), ("/a/b/.", "/a/b/"),
            ("//a//b", "/a/b"),
            ("/model/x%3A0/invoke", "/model/x%253A0/invoke"), ("/x:0", "/x%3A0"),
            ("/%2F", "/%252F"),
        ]
        for row in rows {
            #expect(SigV4Signer.canonicalPath(row.sent) == row.canonical, "\(row.sent)")
        }
    }

    @Test("shows no credential")
    func secrecy() {
        var signer = SigV4Signer(
            region: "r",
            service: "s",
            accessKeyID: "AKID",
            secretAccessKey: Secret("the secret"),
            sessionToken: Secret("the token")
        )
        let request = Case(name: "", signed: "", signature: "").request()
        let added = signer.sign(request, unixSeconds: Self.moment)
        #expect(added.contains { $0.value == "the token" })
        var dumped = ""
        dump(added, to: &dumped)
        dump(signer, to: &dumped)
        dumped += "\(added) \(signer)"
        #expect(!dumped.contains("the token") && !dumped.contains("the secret"))
    }
}

@Suite("Moments in UTC")
struct CivilTimeTests {
    @Test("are written and read")
    func roundTrip() {
        let rows: [(seconds: Int, text: String)] = [
            (0, "19700101T000000Z"), (1_440_938_160, "20150830T123600Z"),
            (951_782_399, "20000228T235959Z"), (951_782_400, "20000229T000000Z"),
            (4_107_542_400, "21000301T000000Z"), (4_107_542_399, "21000228T235959Z"),
            (253_402_300_799, "99991231T235959Z"),
        ]
        for row in rows {
            #expect(CivilTime(unixSeconds: row.seconds).basicText == row.text)
        }
        var random = SplitMix(seed: 7)
        for _ in 0..<20_000 {
            let seconds = random.below(253_402_300_800)
            let time = CivilTime(unixSeconds: seconds)
            func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
            let text = """
                \(time.year)-\(two(time.month))-\(two(time.day))T\(two(time.hour)):\
                \(two(time.minute)):\(two(time.second))Z
                """
            #expect(CivilTime.unixSeconds(text) == seconds, "\(text), seed \(random.seed)")
        }
    }

    @Test("are read with a fraction")
    func fractions() {
        #expect(CivilTime.unixSeconds("2026-03-01T08:00:00Z") == 1_772_352_000)
        #expect(CivilTime.unixSeconds("2026-03-01T08:00:00.123456Z") == 1_772_352_000)
    }

    @Test(
        "in other forms are refused",
        arguments: [
            "", "Z", "2026-03-01", "2026-03-01T08:00:00", "2026-03-01T08:00:00+01:00",
            "2026-03-01 08:00:00Z", "2026-13-01T08:00:00Z", "2026-00-01T08:00:00Z",
            "2026-02-29T08:00:00Z", "2100-02-29T08:00:00Z", "2026-04-31T08:00:00Z",
            "2026-01-00T08:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T08:60:00Z",
            "2026-03-01T08:00:61Z", "1969-12-31T23:59:59Z", "2026-03-01T08:00:00.Z",
            "2026-03-01T08:00:00,5Z", "2026-03-01T08:00:00.5xZ", "+026-03-01T08:00:00Z",
            "2026-03-01T08:00:00Z ", "2026-3-01T08:00:00.0Z",
        ]
    )
    func refused(_ text: String) {
        #expect(CivilTime.unixSeconds(text) == nil)
    }
}
