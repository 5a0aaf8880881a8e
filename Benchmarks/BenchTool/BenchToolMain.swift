// SPDX-License-Identifier: Apache-2.0

@main
struct BenchToolMain {
    static func main() {}
}
