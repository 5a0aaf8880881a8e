// SPDX-License-Identifier: Apache-2.0

@main
struct WorkerMain {
    static func main() {}
}
