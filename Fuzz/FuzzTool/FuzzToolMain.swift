// SPDX-License-Identifier: Apache-2.0

@main
struct FuzzToolMain {
    static func main() {}
}
