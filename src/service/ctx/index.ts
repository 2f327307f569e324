import { Type } from "@sinclair/typebox";
import {
  apiTarget,
  channelPaths,
  cortexHome,
  hookPaths,
  jobPaths,
  type RequestTarget,
  threadTarget,
  toolTarget,
} from "../../cortex/index.ts";
import { defineOperation } from "../operation.ts";
import { placeOf } from "../plans/draft.ts";
import { CortexExchange } from "../plans/shapes.ts";
import { AnyObject, closed, Integer, named, Text } from "../shapes.ts";

const Segment = Type.String({ maxLength: 1024 });

const ctxAbi = defineOperation({
  name: "ctx.abi",
  scope: "read",
  summary: "Where CortexFS is for this user, and what it is not",
  method: "GET",
  path: "/ctx/abi",
  input: closed({}),
  output: named(
    "CtxAbi",
    closed({
      mount: Text,
      uid: Integer,
      home: Text,
      mode: Text,
      kernel: Text,
      kernel_tree: Type.Boolean(),
      abi: Text,
      upstream: Text,
      policy: Text,
      non_goals: Type.Array(Text),
    }),
  ),
  run(context) {
    const place = placeOf(context);
    return {
      mount: place.mount,
      uid: place.uid,
      home: cortexHome(place),
      mode: "userspace",
      kernel: "fuse",
      kernel_tree: false,
      abi: "userspace",
      upstream: "generic kernel primitives only",
      policy:
        "/ctx is a FUSE boundary in user space: no part of LightFlow or CortexFS is proposed to the kernel.",
      non_goals: [
        "a LightFlow or /ctx subsystem in the kernel",
        "system calls or ioctls of LightFlow",
        "model, provider or tool policy in the kernel",
      ],
    };
  },
});

const exchange = (
  kind: "api" | "tool" | "thread",
  member: "format" | "tool_id" | "thread_id",
  target: (place: Parameters<typeof apiTarget>[0], id: string, step: string) => RequestTarget,
) =>
  defineOperation({
    name: `ctx.${kind}`,
    scope: "read",
    summary: `The files of one request to ${kind === "api" ? "an API format" : `a ${kind}`}`,
    method: "GET",
    path: `/ctx/${kind}/:${member}/:step_id`,
    input: closed({ [member]: Segment, step_id: Segment }),
    output: CortexExchange,
    run(context, input) {
      const { step_id: step, [member]: id } = input as Record<string, string>;
      return target(placeOf(context), id!, step!);
    },
  });

const paths = (
  kind: "chan" | "job" | "hook",
  member: "channel_id" | "job_id" | "hook_id",
  what: string,
  record: (place: Parameters<typeof apiTarget>[0], id: string) => Record<string, unknown>,
) =>
  defineOperation({
    name: `ctx.${kind}`,
    scope: "read",
    summary: `The files of ${what}`,
    method: "GET",
    path: `/ctx/${kind}/:${member}`,
    input: closed({ [member]: Segment }),
    output: AnyObject,
    run: (context, input) => record(placeOf(context), (input as Record<string, string>)[member]!) as never,
  });

/** Path records: where the files are, whether or not anything is mounted there. */
export const ctxOperations = {
  ctxAbi,
  ctxApi: exchange("api", "format", apiTarget),
  ctxTool: exchange("tool", "tool_id", toolTarget),
  ctxThread: exchange("thread", "thread_id", threadTarget),
  ctxChan: paths("chan", "channel_id", "a channel: a relay account", channelPaths),
  ctxJob: paths("job", "job_id", "a job", (place, id) => {
    const { job_id, root, ...files } = jobPaths(place, id);
    return { target: { job_id }, job_id, job_dir: root, ...files };
  }),
  ctxHook: paths("hook", "hook_id", "a hook: a job with a trigger", (place, id) => {
    const { hook_id, root, ...files } = hookPaths(place, id);
    return { target: { hook_id }, hook_id, hook_dir: root, ...files };
  }),
} as const;
