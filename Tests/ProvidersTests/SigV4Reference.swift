// SPDX-License-Identifier: Apache-2.0
import Config
import Providers
import Testing

/// Requests with random keys, times, paths and bodies, and the signatures that botocore 1.44.5
/// gives them (service "bedrock", `x-amz-content-sha256` covered).
enum SigV4Reference {
    struct Case: CustomTestStringConvertible, Sendable {
        let key: String
        let secret: String
        let sessionToken: String?
        let region: String
        let method: String
        let path: String
        let query: String
        let fields: [SigV4Signer.Field]
        let body: String
        let unixSeconds: Int
        let signature: String
        var testDescription: String { "\(method) \(path) at \(unixSeconds)" }

        /// The columns of a row: key and secret, token, region, method and path, query, fields
        /// (`name=value|...`), body, time, signature.
        init(_ columns: [String]) {
            key = columns[0]
            secret = columns[1]
            sessionToken = columns[2].isEmpty ? nil : columns[2]
            region = columns[3]
            method = columns[4]
            path = columns[5]
            query = columns[6]
            fields = columns[7].split(separator: "|").map { field in
                let parts = field.split(separator: "=", maxSplits: 1)
                return SigV4Signer.Field(String(parts[0]), String(parts[1]))
            }
            body = columns[8]
            unixSeconds = Int(columns[9]) ?? 0
            signature = columns[10]
        }

        func signer() -> SigV4Signer {
            SigV4Signer(
                region: region,
                service: "bedrock",
                accessKeyID: key,
                secretAccessKey: Secret(secret),
                sessionToken: sessionToken.map { Secret($0) }
            )
        }

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

    static let cases: [Case] = rows.map { Case($0) }

    private static let rows: [[String]] = [
        [
            "AKIAFVEALKXWKKXZWWHP", "uJ8KjTL52pAmxD3ZWQbpprx0xbC4718s91O+oJsP",
            "",
            "us-east-1", "POST",
            "/model/amazon.nova-pro-v1%3A0/invoke",
            "A=&x%2F=%C3%A9",
            "host=bedrock-runtime.us-east-1.amazonaws.com|content-type=application/json; charset=utf-8",
            "{1 \":",
            "2397804920",
            "c94b667b22f35e9cf22840b263a3cd3ea983b3d4ac2639eccd838ae0955e43d5",
        ],
        [
            "AKIA7GWEYTPQBCPK5H67", "hgHb+JFhHZG3FEZr53V=VgfcWKO8ci2z5YbwN5BW",
            "f4jd2rpHDR6xpdrJn4iafGKx1Ec1iwPJpWP",
            "us-gov-west-1", "POST",
            "/base%20path/~x_y/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Fp-1/converse-stream",
            "",
            "host=bedrock-runtime.us-gov-west-1.amazonaws.com|content-type=application/json",
            "  }:é}日}:é{日 {éé1a 1a日:é11日1\"a日ééaaé1 日{a\"}{ 1日 aé é:}1a\"{1\"}:{",
            "2386244980",
            "cbe06dea1333433fcf264f88af043c70d05193f74224a5a8539a01225c97b9e9",
        ],
        [
            "AKIAVWPME2RQSPYA2JU4", "uX9EHCtaVkFtNbGzWPLk1ugXRBGjh92zjSuzABWE",
            "",
            "us-east-1", "POST",
            "/model/amazon.titan-embed-text-v2%3A0/converse-stream",
            "",
            "host=bedrock-runtime.us-east-1.amazonaws.com|content-type=application/json;  charset=utf-8|accept=*/*",
            "{",
            "2084720279",
            "26e540de3be8ff6786d6ecc84575bc705930ba38620f4b23790cf365fd372d93",
        ],
        [
            "AKIAQ5TOE7J4EHKS77XO", "T1cxcczC1gL7/6/+G2gCgu0l64AkQTKMHf3FrQDY",
            "hattwVDhPEZ8kOTCP7h4uW3E/nGtfMC1pgj6hBs7tmBqOk",
            "eu-central-1", "GET",
            "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse-stream",
            "b=1&a=1&x%2F=v%20w&a=-",
            "host=bedrock-runtime.eu-central-1.amazonaws.com:8443|content-type=application/json; charset=utf-8|accept=*/*",
            "11é}",
            "1900911720",
            "4807f8ae184f62a0c0de71092c2e2d6ad1c22151846821ade042a3cf7d53a87a",
        ],
        [
            "AKIAFF5NMBJNYXU26VT2", "vlH3EWEPyjXub7o1Q5MrHcqphsPanntPktn3Wd2I",
            "",
            "ap-southeast-2", "POST",
            "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Fp-1/invoke",
            "b=1&z-1=%C3%A9",
            "host=bedrock-runtime.ap-southeast-2.amazonaws.com|content-type=application/json;  charset=utf-8|accept=application/json|x-amzn-bedrock-trace=ENABLED",
            "日{ é{日1\":\" \"1a11éa{{a{:\"é日{日:}: } :é }日 {}a\"é日a\" \"{é}1é 日 日é",
            "2005937092",
            "e6301bad8404ae518cefaf50679d28547cde320bed0dbd9bd4ba323da2b12000",
        ],
        [
            "AKIAHYIYU223V2F2SDJO", "h=defjmke9/ksAKvV6i=xMciNQ+Bv7AwiVQJtyRC",
            "",
            "eu-central-1", "POST",
            "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke",
            "A=%C3%A9&a=v%20w&z-1=%C3%A9&z-1=v%20w",
            "host=bedrock-runtime.eu-central-1.amazonaws.com|content-type=application/json|accept=application/json",
            "é",
            "1916622892",
            "26d6a90a6cfe6bf9c846adfb1183e2f6d8bc25f87da5e5a5066b76437ae37464",
        ],
        [
            "AKIA4NBFAE6UW7VJ7HET", "yEMVfWLPpWulc+L7KzSjRk6wayKtMABHtgybgMVR",
            "5as1XGgowcsVACKpJIN9j9VLgvbhCNhaAP1HVQR3PQ5TraiwngWbi+",
            "us-gov-west-1", "GET",
            "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke",
            "b=-&b=1&x%2F=v%20w&b=%C3%A9",
            "host=bedrock-runtime.us-gov-west-1.amazonaws.com|content-type=application/json; charset=utf-8|x-amzn-bedrock-trace=ENABLED",
            "日 1:11日 aéa1{日\"}}:a } \"{:a a{é}{{aé{{a  \" a1:aa日\"} 11{é11}1",
            "2145199323",
            "dc68393185346325a2b227e61d97f701e99f8df7350270e34f6ec3ec52d5b2d1",
        ],
        [
            "AKIALVMW33N57UOMX6EL", "JIz7RyKBn2/YerMHsuCRbp2FvhQgbPTxR8O7RxhO",
            "NfQMwFo+OXJDiL4vmT1aGdHu=NAT8",
            "ap-southeast-2", "POST",
            "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/invoke",
            "",
            "host=bedrock-runtime.ap-southeast-2.amazonaws.com:8443|content-type=application/json; charset=utf-8|accept=*/*|x-amzn-bedrock-trace=ENABLED",
            " ",
            "1912804223",
            "c403c64bbb742b1f58120a62fb09daa2fb4e516b6b6b4a1d39c1075d767bbb27",
        ],
        [
            "AKIAVLP4UJNHQWRBLORO", "zj=m8YtgF67ihEqHgoVLtxlzgFRlNu//UOUiLyS9",
            "",
            "ap-southeast-2", "POST",
            "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            "",
            "host=bedrock-runtime.ap-southeast-2.amazonaws.com|content-type=application/json;  charset=utf-8",
            "{\"a1}{ }日::aéa }\"é ::1:日é {:{}}:a1日}é}\"\"}éé \"é :1日日a\"1}}{",
            "1711158388",
            "3c90c09c551df93f0cc560efde0734246db00bcb75a5e62d717f74846c7f652f",
        ],
        [
            "AKIACDFLFT5SZN2BMJTF", "RZl=kwe+JYMm7itli1iJL0jXZR8MhrI=171yxcFp",
            "K1iikQxiKen/OVH6t5okUUwZZLTg+BlO5IjufaZ8z3",
            "us-gov-west-1", "POST",
            "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/invoke-with-response-stream",
            "b=-&A=v%20w",
            "host=bedrock-runtime.us-gov-west-1.amazonaws.com|content-type=application/json;  charset=utf-8",
            "\"}a::éa{}:\":aaé :é}\"日a日{}}é 日a::}\"\"a\"{{:é日\"a  aa\"}1\"1\": :",
            "1848205868",
            "b1bc4e7507e07aeded174794e99f56917c738f42b84a7a55765be52b3571b123",
        ],
        [
            "AKIARD5S3XAY5RIUIDFP", "OdbIfhum6Y16SX3p11MqpGZgczQrw299G2Z9EXbq",
            "tK/k2hOZx8HGaQGo/+U9u+Oj3T8tAsHWRrtMD0P",
            "us-gov-west-1", "POST",
            "/model/amazon.nova-pro-v1%3A0/converse-stream",
            "",
            "host=bedrock-runtime.us-gov-west-1.amazonaws.com|content-type=application/json|accept=application/vnd.amazon.eventstream",
            "",
            "1938932376",
            "0fbc1a2cae4985d7ebc9d135cf3e1aeaf23fc47303d5ee7787fb3a41957a114b",
        ],
        [
            "AKIAPGNMHVYNN663ICXS", "9HVG7Q/hiznT7TR8DUHsWubVebM1sdzmEp6lIjOT",
            "",
            "ap-southeast-2", "POST",
            "/model/amazon.titan-embed-text-v2%3A0/converse",
            "a=v%20w",
            "host=bedrock-runtime.ap-southeast-2.amazonaws.com|content-type=application/json; charset=utf-8|accept=*/*",
            "é:1日",
            "1726714951",
            "17387152d419150616dbf9115495170c04be5467bdd60afba0ee0f98d075c852",
        ],
        [
            "AKIA6FJ4RCOKGCXGRIU6", "QSucl6TgCST+M8rm4ElkwXfWj5Uxx/WmkWFnSHjO",
            "blCb7mFvAUEpBQIolZ1eXDT56k4DnmnnCkechYjPA=9W=/rn",
            "us-gov-west-1", "POST",
            "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse",
            "",
            "host=bedrock-runtime.us-gov-west-1.amazonaws.com:8443|content-type=application/json|accept=*/*",
            "}日{\"{:a{1 \"1 }aé:\"\"\"{\"{ é11 :日日}\"éa\"ééa\"\"}: aa1\"\" 1{1a日:1{",
            "1804036558",
            "4ad8bc9b93306ec1a98e682952a95cae3d92d0986e22ea5efef905bb2d36a845",
        ],
        [
            "AKIAGVVNIZFXRXFRB6SO", "WWG/cfh5Dui3N0fNFsujiEQYzZm=5vzYZBODovuG",
            "",
            "us-gov-west-1", "POST",
            "/model/amazon.titan-embed-text-v2%3A0/invoke",
            "",
            "host=bedrock-runtime.us-gov-west-1.amazonaws.com|content-type=application/json; charset=utf-8",
            "日{日 :  日{:é:1{日é{\"é}::日é\"}a1é 1:}} \"1 éaé 日a:\"éa:a:\" ",
            "1774066906",
            "966d0547f2f0b4b4e957f5f2daef17f20c07511d08a3b19e63f7a55ec354f231",
        ],
        [
            "AKIARVVCF7GML7XDBNOV", "nD/VLa+h+bxf92n3aL9ns7vAEM3/1z3gsZIkh92Q",
            "",
            "eu-central-1", "POST",
            "/base%20path/~x_y/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
            "x%2F=1",
            "host=bedrock-runtime.eu-central-1.amazonaws.com|content-type=application/json; charset=utf-8|x-amzn-bedrock-trace=ENABLED",
            ":{}:日  日1a\"é} \"a é{{日\"1日1:{\"a\":é1}\"日日é::\":日\"é1 \" é\"日a}:",
            "1821125412",
            "2ed8a67b9e0f5f876c70a0bfe7bf9abec9b797c3f7ba0f4d72112710674c2fa8",
        ],
        [
            "AKIAAWG3PV4MBNZ6S3VF", "av7uNmXlGJ/irqNyHtQGj+luhbeCpIjS15bw/ker",
            "",
            "ap-southeast-2", "POST",
            "/model/meta.llama3-1-70b-instruct-v1%3A0/invoke-with-response-stream",
            "z-1=&z-1=-&x%2F=1&b=",
            "host=bedrock-runtime.ap-southeast-2.amazonaws.com:8443|content-type=application/json; charset=utf-8|accept=application/json",
            "",
            "1806403188",
            "5769b9e988eb279f85326df071492554f0e952df3a6f4ce7902ff6eea25404ae",
        ],
    ]
}
