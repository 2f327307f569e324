/** The packages behind `call: grpc`. The build compresses what stands here: nothing else of ours belongs in it. */
export * as grpc from "@grpc/grpc-js";
export { default as Long } from "long";
export { default as protobuf } from "protobufjs";
